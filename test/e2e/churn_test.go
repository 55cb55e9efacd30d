package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/load"
)

// churnChanges are made one every churnEvery, after a calm time.
const (
	calmTime     = 4 * time.Second
	churnChanges = 1000
	churnEvery   = 10 * time.Millisecond
)

// Endpoints come, go and change weight 100 times a second under load, for clients of HTTP/1.1
// that keep their connection, of HTTP/1.1 that do not, and of HTTP/2: no request fails, no
// connection is closed, and answers take about as long as before.
func TestChurnUnderLoad(t *testing.T) {
	addrs := []string{backend(t, "one", ""), backend(t, "two", ""), backend(t, "three", "")}
	s := configure(t, "objects: ["+objectFile(t, shopOf(addrs[0]))+"]\n")
	s.start()
	var calm, busy mixed
	var took time.Duration
	slow := true
	for try := 1; slow && try <= 3; try++ { // others may have had the machine meanwhile
		calm, busy, took = s.churn(addrs)
		slow = busy.kept.Latency.P99 > 13*max(calm.kept.Latency.P99, 20*time.Millisecond)
		t.Logf("try %d: p99 was %v, and %v with changes", try, calm.kept.Latency.P99, busy.kept.Latency.P99)
	}

	for _, m := range []struct {
		when string
		mixed
	}{{"before", calm}, {"with changes", busy}} {
		for kind, r := range map[string]load.Result{"kept alive": m.kept, "one request each": m.fresh, "HTTP/2": m.streams} {
			if r.Failures > 0 || r.Closed > 0 || r.Requests < 100 {
				t.Errorf("%s, %s: %s", m.when, kind, r)
			}
		}
	}
	rate, ratio := churnChanges/took.Seconds(), float64(busy.kept.Latency.P99)/float64(calm.kept.Latency.P99)
	if rate < 10 {
		t.Errorf("%d changes took %v", churnChanges, took)
	}
	if slow {
		t.Errorf("p99 was %v, and %v with changes", calm.kept.Latency.P99, busy.kept.Latency.P99)
	}
	fmt.Printf("figure churn_rate_under_load %.1f changes/s goal 100\n", rate)
	fmt.Printf("figure churn_failed_under_load %d count goal 0\n", busy.failures())
	fmt.Printf("figure churn_closed_under_load %d count goal 0\n", busy.kept.Closed+busy.fresh.Closed+busy.streams.Closed)
	fmt.Printf("figure churn_p99_under_load %.2f ratio goal 1.3\n", ratio)
	t.Logf("%d changes in %v; kept alive: %s; one request each: %s; HTTP/2: %s", churnChanges, took.Round(time.Millisecond), busy.kept, busy.fresh, busy.streams)
}

// churn changes endpoints under load, and measures the same load before.
func (s *instance) churn(addrs []string) (calm, busy mixed, took time.Duration) {
	s.t.Helper()
	calm = s.mixedLoad(context.Background(), calmTime)
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	defer stop()
	loaded := make(chan mixed, 1)
	go func() { loaded <- s.mixedLoad(ctx, 3*time.Minute) }()

	begin := time.Now()
	for i := range churnChanges {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * churnEvery))) // those that are late are made up for
		if err := s.api(http.MethodPut, endpointsPath, churned(addrs, i), nil); err != nil {
			s.t.Fatalf("change %d: %v", i, err)
		}
	}
	took = time.Since(begin)
	stop()
	busy = <-loaded
	return calm, busy, took
}

// churned are the endpoints after change i. Each list shares one with the list before, and each
// endpoint leaves in its turn.
func churned(addrs []string, i int) map[string]any {
	one := map[string]any{"address": addrs[i/3%3], "weight": 1 + i%5}
	two := map[string]any{"address": addrs[(i/3+1)%3]}
	switch i % 3 {
	case 0:
		return map[string]any{"endpoints": []any{one, two}}
	case 1:
		return map[string]any{"endpoints": []any{two, one, map[string]any{"address": addrs[(i/3+2)%3], "priority": 1}}}
	}
	return map[string]any{"endpoints": []any{two}}
}

// mixed is how the three kinds of clients fared.
type mixed struct{ kept, fresh, streams load.Result }

func (m mixed) failures() int { return m.kept.Failures + m.fresh.Failures + m.streams.Failures }

// mixedLoad sends the load of all kinds until ctx ends or the time is over.
func (s *instance) mixedLoad(ctx context.Context, d time.Duration) (m mixed) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		m.kept = load.Run(ctx, load.Config{URL: "http://" + s.http + "/", Host: "shop.example.com", Conns: 20, RatePerSecond: 300, Duration: d, Timeout: 20 * time.Second})
	})
	all.Go(func() { m.fresh = s.freshLoad(ctx) })
	all.Go(func() { m.streams = s.streamLoad(ctx) })
	all.Wait()
	return m
}

// freshLoad opens a connection for each request, 50 a second.
func (s *instance) freshLoad(ctx context.Context) load.Result {
	tr := &http.Transport{DisableKeepAlives: true}
	return s.goLoad(ctx, &http.Client{Transport: tr, Timeout: 20 * time.Second}, 50)
}

// streamLoad sends 150 requests a second on few connections of HTTP/2. Closed counts those
// that had to be opened again.
func (s *instance) streamLoad(ctx context.Context) load.Result {
	const conns = 2
	var all sync.WaitGroup
	var results [conns]load.Result
	var dials [conns]atomic.Int64
	for i := range conns {
		tr := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials[i].Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr, Timeout: 20 * time.Second}
		all.Go(func() { results[i] = s.goLoad(ctx, client, 75) })
	}
	all.Wait()
	total := load.Result{Reasons: map[string]int{}}
	for i, r := range results {
		total.Requests += r.Requests
		total.Failures += r.Failures
		total.Opened += int(dials[i].Load())
		total.Closed += int(dials[i].Load()) - 1
		for reason, n := range r.Reasons {
			total.Reasons[reason] += n
		}
		total.Elapsed = max(total.Elapsed, r.Elapsed)
	}
	return total
}

// goLoad sends requests by a client of net/http at a rate, as many at a time as that takes,
// but for the first, whose connection is there for the others.
func (s *instance) goLoad(ctx context.Context, client *http.Client, perSecond int) load.Result {
	r := load.Result{Reasons: map[string]int{}}
	var mu sync.Mutex
	ask := func() {
		err := s.ask(client)
		mu.Lock()
		defer mu.Unlock()
		if r.Requests++; err != nil {
			r.Failures++
			r.Reasons[err.Error()]++
		}
	}
	begin := time.Now()
	beat := time.NewTicker(time.Second / time.Duration(perSecond))
	defer beat.Stop()
	ask()
	var all sync.WaitGroup
	for {
		select {
		case <-beat.C:
			all.Go(ask)
			continue
		case <-ctx.Done():
		}
		all.Wait() // what was begun is judged
		r.Elapsed = time.Since(begin)
		return r
	}
}

// ask wants an answer of a backend, whole.
func (s *instance) ask(client *http.Client) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/", nil)
	if err != nil {
		return err
	}
	req.Host = "shop.example.com"
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Backend") == "" {
		return fmt.Errorf("%s %s by %q", resp.Proto, resp.Status, resp.Header.Get("X-Backend"))
	}
	return nil
}
