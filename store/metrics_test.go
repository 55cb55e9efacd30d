package store_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/store/storetest"
)

func TestMetrics(t *testing.T) {
	s := storetest.OpenTemp(t)
	put(t, s, tenant("acme"))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	read := func() map[string]float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, f := range families {
			m := f.GetMetric()[0]
			out[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		return out
	}
	got := read()
	if got["sluice_store_up"] != 1 || got["sluice_store_db_bytes"] <= 0 || got["sluice_store_quota_bytes"] != 2<<30 || len(got) != 6 {
		t.Errorf("metrics of an open store: %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(); got["sluice_store_up"] != 0 || len(got) != 2 {
		t.Errorf("metrics of a closed store: %v", got)
	}
}
