package store

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descUp      = prometheus.NewDesc("sluice_store_up", "1 when etcd answers.", nil, nil)
	descSize    = prometheus.NewDesc("sluice_store_db_bytes", "Size of etcd's database on disk, which etcd compares with its quota.", nil, nil)
	descInUse   = prometheus.NewDesc("sluice_store_db_in_use_bytes", "Part of etcd's database that holds data. Close to the quota, raise the quota.", nil, nil)
	descQuota   = prometheus.NewDesc("sluice_store_quota_bytes", "Quota of etcd's database.", nil, nil)
	descRepairs = prometheus.NewDesc("sluice_store_repairs_total", "Repairs of a full quota by compacting and defragmenting.", nil, nil)
	descAlarms  = prometheus.NewDesc("sluice_store_alarms", "Alarms and errors that etcd's members report.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descSize, descInUse, descQuota, descRepairs, descAlarms} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It asks etcd, at most two seconds long, and
// leaves out what etcd does not tell.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	st := s.Status(context.Background())
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	ch <- prometheus.MustNewConstMetric(descRepairs, prometheus.CounterValue, float64(st.Repairs))
	if st.Err != nil {
		gauge(descUp, 0)
		return
	}
	gauge(descUp, 1)
	gauge(descSize, float64(st.DBSize))
	gauge(descInUse, float64(st.InUse))
	gauge(descAlarms, float64(len(st.Alarms)))
	if st.Quota > 0 {
		gauge(descQuota, float64(st.Quota))
	}
}
