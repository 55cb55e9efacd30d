package proxy

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// streamCounts are a stream's. They go on when its port or upstream changes.
type streamCounts struct {
	open                          atomic.Int64
	served, failed, refused, idle atomic.Uint64
	toEndpoints, toClients        atomic.Uint64 // bytes
}

var (
	descStreamOpen = prometheus.NewDesc("sluice_stream_open",
		"Connections of a stream that are open.", []string{"stream"}, nil)
	descStreamConnections = prometheus.NewDesc("sluice_stream_connections_total",
		"Connections of a stream: served by an endpoint, failed because none could be reached, refused for a limit. Idle are those of the served that were closed for their silence.",
		[]string{"stream", "result"}, nil)
	descStreamBytes = prometheus.NewDesc("sluice_stream_bytes_total",
		"Bytes that a stream has passed on.", []string{"stream", "to"}, nil)
)

var streamDescs = []*prometheus.Desc{descStreamOpen, descStreamConnections, descStreamBytes}

func (t *streams) collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	counted := maps.Clone(t.counted)
	t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		c := counted[name]
		ch <- prometheus.MustNewConstMetric(descStreamOpen, prometheus.GaugeValue, float64(c.open.Load()), name)
		for _, r := range []struct {
			result string
			n      uint64
		}{{"served", c.served.Load()}, {"failed", c.failed.Load()}, {"refused", c.refused.Load()}, {"idle", c.idle.Load()}} {
			ch <- prometheus.MustNewConstMetric(descStreamConnections, prometheus.CounterValue, float64(r.n), name, r.result)
		}
		ch <- prometheus.MustNewConstMetric(descStreamBytes, prometheus.CounterValue, float64(c.toEndpoints.Load()), name, "endpoint")
		ch <- prometheus.MustNewConstMetric(descStreamBytes, prometheus.CounterValue, float64(c.toClients.Load()), name, "client")
	}
}
