package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// expiryMetric says until when the certificates of objects are good.
type expiryMetric struct{ app *App }

var notAfterDesc = prometheus.NewDesc("sluice_certificate_not_after_seconds",
	"When a certificate in service expires, in seconds since 1970.", []string{"tenant", "certificate"}, nil)

// Describe implements prometheus.Collector.
func (m expiryMetric) Describe(ch chan<- *prometheus.Desc) { ch <- notAfterDesc }

// Collect implements prometheus.Collector.
func (m expiryMetric) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.app.loop.Snapshot().Certificates {
		ch <- prometheus.MustNewConstMetric(notAfterDesc, prometheus.GaugeValue, float64(c.Status.NotAfter.Unix()), c.Key.Tenant, c.Key.Name)
	}
}
