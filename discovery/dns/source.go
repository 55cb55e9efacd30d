package dns

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// The bounds of the time that an answer counts, unless Config has others.
const (
	DefaultMinTTL = time.Second
	DefaultMaxTTL = 5 * time.Minute
)

// Config of a [Source].
type Config struct {
	// Name of the resolver, as upstreams write it in discover.dns.resolver. Default "default".
	Name string
	// Servers to ask, as ServerAddress gives them. Default: those of ResolvConf.
	Servers []string
	// ResolvConf is the file that names the servers when Servers is empty. Default
	// "/etc/resolv.conf".
	ResolvConf string
	// Timeout of one question to one server. Default 2s, or what ResolvConf says.
	Timeout time.Duration
	// MinTTL and MaxTTL bound how long an answer counts. Default: the constants. Raise MinTTL when
	// servers complain; lower MaxTTL for zones that keep long times to live and move all the same.
	MinTTL, MaxTTL time.Duration
	// Confirm is when a name is asked for again that seems to have no endpoints. Default 2s.
	Confirm time.Duration
	// Parallel is how many names are looked up at a time. Default 64.
	Parallel int
	// Log defaults to slog.Default().
	Log *slog.Logger

	exchange exchanger
}

// Source follows names. It implements [discovery.Source].
type Source struct {
	cfg     Config
	servers servers
	busy    chan struct{} // a slot per lookup
	health  health
}

var _ discovery.Source = (*Source)(nil)

// New returns a source. It starts nothing and asks nothing.
func New(cfg Config) *Source {
	cfg.Name = cmp.Or(cfg.Name, "default")
	cfg.MinTTL = cmp.Or(cfg.MinTTL, DefaultMinTTL)
	cfg.MaxTTL = max(cmp.Or(cfg.MaxTTL, DefaultMaxTTL), cfg.MinTTL)
	cfg.Confirm = cmp.Or(cfg.Confirm, 2*time.Second)
	cfg.Parallel = cmp.Or(cfg.Parallel, 64)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.exchange == nil {
		cfg.exchange = exchange
	}
	s := &Source{cfg: cfg, busy: make(chan struct{}, cfg.Parallel)}
	if len(cfg.Servers) > 0 {
		s.servers.fixed = setup{servers: slices.Clone(cfg.Servers), timeout: cmp.Or(cfg.Timeout, 2*time.Second), attempts: 2}
	} else {
		s.servers.fixed = setup{timeout: cfg.Timeout}
		s.servers.path = cmp.Or(cfg.ResolvConf, "/etc/resolv.conf")
	}
	return s
}

// Name implements [discovery.Source]: "dns/default".
func (s *Source) Name() string { return string(gateway.SourceDNS) + "/" + s.cfg.Name }

// Status implements [discovery.Source]. A source is not up while there is a name that no
// server gives an answer about.
func (s *Source) Status() discovery.SourceStatus {
	status := s.health.status()
	status.Name = s.Name()
	return status
}

// lookup waits for a slot and looks a question up. first is the server to begin with.
func (s *Source) lookup(ctx context.Context, q question, first int) (finding, error) {
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return finding{}, ctx.Err()
	}
	defer func() { <-s.busy }()
	setup, err := s.servers.get(time.Now())
	if err != nil {
		return finding{}, err
	}
	a := &asking{setup: setup, exchange: s.cfg.exchange, servers: &s.servers, first: first}
	return a.lookup(ctx, q)
}

func (s *Source) clamp(ttl time.Duration) time.Duration {
	return min(max(ttl, s.cfg.MinTTL), s.cfg.MaxTTL)
}

// Run implements [discovery.Source]. It returns nil when ctx ends, and nothing else stops
// it.
func (s *Source) Run(ctx context.Context, wants <-chan []discovery.Want, out chan<- gateway.EndpointSet) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{Source: s, out: out, followers: map[question]*follower{}, news: make(chan news)}
	s.health.start()
	defer s.health.stop()
	var running sync.WaitGroup
	r.running = &running
	defer running.Wait()
	defer cancel()
	for {
		// What can happen: the manager asks for something else; a name was answered; it is
		// time to stop.
		select {
		case list := <-wants:
			r.want(ctx, list)
		case n := <-r.news:
			r.told(ctx, n)
		case <-ctx.Done():
			return nil
		}
	}
}
