package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Every endpoint answers 502, probes excepted: nobody is ejected, requests go to all of them,
// and the owner hears that the service is bad, until it is good again.
func TestServiceBad(t *testing.T) {
	addresses := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	s := configure(t, "objects: ["+objectFile(t, shopOf(addresses...))+"]\n")
	s.start()
	order := func(query string) {
		t.Helper()
		for _, a := range addresses {
			resp, err := http.Post("http://"+a+"/_control?"+query, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}
	var from map[string]int
	serviceBad := func() (bool, error) {
		from = map[string]int{}
		for range 30 {
			name, _ := s.answeredBy("shop.example.com")
			from[name]++
		}
		var list struct{ Items []gateway.Problem }
		err := s.api(http.MethodGet, "/problems", nil, &list)
		for _, p := range list.Items {
			if p.Code == "service_bad" && p.Object.Name == "api" {
				return true, err
			}
		}
		return false, err
	}
	until(t, 20*time.Second, "all serve", func() error {
		if bad, err := serviceBad(); bad || err != nil || len(from) != 3 {
			return fmt.Errorf("bad %v, %w, answers from %v", bad, err, from)
		}
		return nil
	})

	order("status=502")
	until(t, 20*time.Second, "the service is bad", func() error {
		if bad, err := serviceBad(); !bad {
			return fmt.Errorf("it is not (%w); answers from %v", err, from)
		}
		return nil
	})
	if _, err := serviceBad(); err != nil || len(from) != 3 {
		t.Errorf("%v; answers from %v, want all three", err, from)
	}
	var h gateway.UpstreamHealth
	if err := s.api(http.MethodGet, "/tenants/acme/upstreams/api/health", nil, &h); err != nil || h.Ejected != 0 || !h.Service.Bad || h.MayEject != 1 {
		t.Errorf("%v, %+v", err, h)
	}

	order("heal=1")
	until(t, 60*time.Second, "the service is good", func() error {
		if bad, err := serviceBad(); bad {
			return fmt.Errorf("it is bad (%w); answers from %v", err, from)
		}
		return nil
	})
	var log struct{ Items []gateway.HealthEvent }
	if err := s.api(http.MethodGet, "/health/events?tenant=acme&upstream=api", nil, &log); err != nil {
		t.Fatal(err)
	}
	kinds := map[gateway.EventKind]int{}
	for _, e := range log.Items {
		kinds[e.Kind]++
	}
	if kinds[gateway.EventServiceBad] != 1 || kinds[gateway.EventServiceGood] != 1 || kinds[gateway.EventEjected] != 0 {
		t.Errorf("events %v", kinds)
	}
}
