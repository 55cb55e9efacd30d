package proxy

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/proxy/http2"
)

// faults counts the HTTP/2 connections that were ended because of what the client sent, by
// the code that it was told.
type faults [16]atomic.Uint64

func (f *faults) count(code http2.Code) { f[min(int(code), len(f)-1)].Add(1) }

func (f *faults) collect(ch chan<- prometheus.Metric) {
	for code := range f {
		if n := f[code].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descFaults, prometheus.CounterValue, float64(n), http2.Code(code).String())
		}
	}
}
