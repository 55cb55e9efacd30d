package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

// What clients see of an endpoint that turns to 502 under load, probes included: the last 502
// comes soon, none follows while the endpoint stays ill, and it answers again after healing.
func TestIllEndpointGetsNoRequests(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, shopOf(one, two))+"]\n")
	s.start()
	order := func(query string) {
		t.Helper()
		resp, err := http.Post("http://"+one+"/_control?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("order %s: %s", query, resp.Status)
		}
	}

	var last, bad, good atomic.Int64 // last: when the newest 502 arrived, in Unix nanoseconds
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan load.Result, 1)
	go func() {
		done <- load.Run(ctx, load.Config{URL: "http://" + s.http + "/", Host: "shop.example.com", Conns: 20, RatePerSecond: 300,
			Duration: 3 * time.Minute, Timeout: 20 * time.Second, Observe: func(a load.Answer) {
				switch a.Status {
				case http.StatusBadGateway:
					for at, old := a.End.UnixNano(), last.Load(); at > old && !last.CompareAndSwap(old, at); old = last.Load() {
					}
					bad.Add(1)
				case http.StatusOK:
					good.Add(1)
				}
			}})
	}()
	defer func() {
		stop()
		<-done
	}()
	until(t, 30*time.Second, "load", func() error {
		if n := good.Load(); n < 50 {
			return fmt.Errorf("%d answers", n)
		}
		return nil
	})

	begin := time.Now()
	order("status=502&health=fail")
	until(t, 20*time.Second, "out of rotation", func() error {
		var v upstreamView
		if err := s.api(http.MethodGet, endpointsPath, nil, &v); err != nil {
			return err
		}
		for _, e := range v.Upstream.Endpoints {
			if e.Address == one && !e.InRotation && e.Verdict.Reason != "" && !e.Verdict.Since.IsZero() {
				return nil
			}
		}
		return fmt.Errorf("%+v", v)
	})
	// Quiet means that four seconds of requests were answered, and not one by the ill endpoint:
	// the ejection ends after one, and then the probes have to keep it out.
	const quiet = 1200
	until(t, 20*time.Second, "an end of 502", func() error {
		from, answered := bad.Load(), good.Load()
		for deadline := time.Now().Add(20 * time.Second); good.Load() < answered+quiet && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		if bad.Load() > from || good.Load() < answered+quiet {
			return fmt.Errorf("%d answers of 502, %d of 200", bad.Load()-from, good.Load()-answered)
		}
		return nil
	})
	if bad.Load() == 0 {
		t.Error("the order had no effect: no request was answered 502")
	}
	fmt.Printf("figure last_502_ms %.0f ms goal 2000\n", float64(last.Load()-begin.UnixNano())/1e6)

	order("heal=1")
	until(t, 60*time.Second, "return", func() error {
		if name, status := s.answeredBy("shop.example.com"); name != "one" || status != http.StatusOK {
			return fmt.Errorf("answered by %q with %d", name, status)
		}
		return nil
	})
}
