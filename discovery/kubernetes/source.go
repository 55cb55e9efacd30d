package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a [Source]. One of Kubeconfig, InCluster and Token is set.
type Config struct {
	// Name of the cluster, as upstreams write it in discover.kubernetes.cluster. Default
	// "default".
	Name string
	// Kubeconfig is the path of a kubeconfig; its current context is used.
	Kubeconfig string
	// InCluster uses the account of the pod that Sluice runs in.
	InCluster bool
	// Token names the server and a file with a token.
	Token *Token
	// Stall is how long a watch may say nothing before it is renewed. Default 3m, in which
	// three of the server's bookmarks have failed to come. Raise it for servers that send
	// none, if a new watch every three minutes is too much for them.
	Stall time.Duration
	// Resync is how often everything is listed anew, in case that an event was lost on its
	// way. Default 30m, give or take a tenth.
	Resync time.Duration
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Complete fills in the defaults.
func (c Config) Complete() Config {
	c.Name = cmp.Or(c.Name, "default")
	c.Stall = cmp.Or(c.Stall, 3*time.Minute)
	c.Resync = cmp.Or(c.Resync, 30*time.Minute)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// UntilResync ends the context that it returns when it is time to list everything anew, give
// or take a tenth, so that not all processes do so at once.
func (c Config) UntilResync(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.Resync+time.Duration((rand.Float64()-0.5)*0.2*float64(c.Resync)))
}

// Token is an account's token in a file that someone else renews.
type Token struct {
	// Server is the URL of the API server, "https://10.0.0.1:6443".
	Server string
	// CAFile holds the certificates (PEM) that sign the server's. Default: the system's.
	CAFile string
	// TokenFile is read again every minute, and when the server refuses what it held.
	TokenFile string
}

// Source follows the Services of one cluster. It implements [discovery.Source].
type Source struct {
	cfg    Config
	client *client

	mu     sync.Mutex // guards status
	status discovery.SourceStatus
}

var _ discovery.Source = (*Source)(nil)

// New returns a source, or an error when the kubeconfig or the pod's account cannot be
// used. It connects to nothing.
func New(cfg Config) (*Source, error) {
	cfg = cfg.Complete()
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("kubernetes cluster %q: %w", cfg.Name, err)
	}
	s := &Source{cfg: cfg, client: c}
	s.status.Name = s.Name()
	return s, nil
}

// Name implements [discovery.Source]: "kubernetes/default".
func (s *Source) Name() string { return string(gateway.SourceKubernetes) + "/" + s.cfg.Name }

// Status implements [discovery.Source].
func (s *Source) Status() discovery.SourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Source) update(change func(*discovery.SourceStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// Run implements [discovery.Source]. It returns nil when ctx ends, and nothing else stops
// it: a cluster that cannot be reached is tried again and again.
func (s *Source) Run(ctx context.Context, wants <-chan []discovery.Want, out chan<- gateway.EndpointSet) error {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{
		Source: s, out: out,
		wanted: map[types.NamespacedName]map[gateway.SetKey]*order{},
	}
	r.store = newStore(func() {
		s.update(func(st *discovery.SourceStatus) { st.LastEvent = time.Now() })
	})
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx, r.store) })
	defer s.client.close()
	defer watching.Wait()
	defer cancel()
	defer s.update(func(st *discovery.SourceStatus) { st.Up, st.Error, st.Wants = false, "not running", 0 })
	for {
		// What can happen: the manager asks for something else; slices have changed; it is
		// time to stop.
		select {
		case list := <-wants:
			r.want(ctx, list)
		case <-r.store.changed:
			r.send(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}
