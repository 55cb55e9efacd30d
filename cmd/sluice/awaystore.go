package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// awayStore stands in for a store that has not been reached since the start: what is served can
// be looked at, and what is stored can be neither read nor changed.
type awayStore struct{ app *App }

var _ admin.Store = awayStore{}

// why says it to people.
func (s awayStore) why() error {
	return fmt.Errorf("%w: the etcd cluster of store.etcd can not be reached. Traffic is served from the local copy of %s; nothing can be changed until the cluster is back",
		gateway.ErrUnavailable, s.app.copied.Format(time.RFC3339))
}

// Get implements [admin.Store].
func (s awayStore) Get(context.Context, gateway.Ref) (gateway.Object, error) { return nil, s.why() }

// List implements [admin.Store].
func (s awayStore) List(context.Context, gateway.Kind, string) ([]gateway.Object, error) {
	return nil, s.why()
}

// Apply implements [admin.Store].
func (s awayStore) Apply(context.Context, string, []gateway.Change) ([]gateway.Object, error) {
	return nil, s.why()
}

// History implements [admin.Store].
func (s awayStore) History(context.Context, gateway.Ref, int) ([]api.Version, error) {
	return nil, s.why()
}

// Audit implements [admin.Store].
func (s awayStore) Audit(context.Context, time.Time, string, int) ([]api.Record, error) {
	return nil, s.why()
}

func (s awayStore) status(context.Context) api.StoreStatus {
	return api.StoreStatus{Mode: "etcd", Endpoints: s.app.cfg.Store.Etcd.Endpoints, StaleSince: &s.app.copied, Message: s.why().Error()}
}

// awayMetric says since when what is served is from the local copy, while the store is away.
type awayMetric struct{ app *App }

var storeStaleDesc = prometheus.NewDesc("sluice_store_stale_since_seconds",
	"When the local copy was written that is served because the store has not been reached since the start, in seconds since 1970. Absent otherwise.", nil, nil)

// Describe implements prometheus.Collector.
func (m awayMetric) Describe(ch chan<- *prometheus.Desc) { ch <- storeStaleDesc }

// Collect implements prometheus.Collector.
func (m awayMetric) Collect(ch chan<- prometheus.Metric) {
	if m.app.away() {
		ch <- prometheus.MustNewConstMetric(storeStaleDesc, prometheus.GaugeValue, float64(m.app.copied.UnixMicro())/1e6)
	}
}
