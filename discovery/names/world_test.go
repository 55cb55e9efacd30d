package names

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const patience = 60 * time.Second

// memory is a state that outlives its keepers.
type memory struct {
	mu      sync.Mutex
	records map[string]Record
}

func (m *memory) Load(context.Context) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.records)), nil
}

func (m *memory) Save(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[string]Record{}
	}
	m.records[r.Host] = r
	return nil
}

func (m *memory) Forget(_ context.Context, host string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, host)
	return nil
}

func rule(t testing.TB, pattern string) Rule {
	t.Helper()
	r, err := ParseRule(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func vips(list ...string) Target {
	out := Target{TTL: time.Minute}
	for _, a := range list {
		out.Addresses = append(out.Addresses, netip.MustParseAddr(a))
	}
	return out
}

// snapshot has one upstream for each service of namespace shop.
func snapshot(services ...string) *gateway.Snapshot {
	s := &gateway.Snapshot{}
	for _, name := range services {
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: name},
			Discover: []gateway.Discover{{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop", Service: name}}}})
	}
	return s
}

func always(ctx context.Context, work func(context.Context) error) error { return work(ctx) }

func defaults(t testing.TB, a Announcer, state State) Config {
	return Config{Rule: rule(t, "{{service}}.{{namespace}}.svc.example.test"), Target: vips("192.0.2.1", "2001:db8::1"), Announcer: a, State: state,
		Complete: func() bool { return true }, Lead: always, Log: slog.New(slog.DiscardHandler)}
}

// keep runs a keeper until stop is called, or the test ends.
func keep(t testing.TB, cfg Config) (k *Keeper, stop func()) {
	k = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := k.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return k, stop
}

func until(t testing.TB, k *Keeper, what string, good func(Status) bool) {
	t.Helper()
	for end := time.Now().Add(patience); !good(k.Status()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("status %+v, want %s", k.Status(), what)
		}
	}
}
