package etcd

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a [Source].
type Config struct {
	// Name of the registry, as upstreams write it in discover.etcd.registry. Default
	// "default".
	Name string
	// Client of the etcd. The source neither configures nor closes it. Set its keepalive,
	// so that a dead connection is noticed while nothing changes. Nil: Registry.
	Client *clientv3.Client
	// Registry to connect to when there is no Client.
	Registry *Registry
	// Prefixes are what upstreams may follow. Default: every prefix that is not reserved.
	Prefixes []string
	// Reserved are prefixes that no upstream may follow: those that hold Sluice's own
	// objects, when the registry is its store.
	Reserved []string
	// ProbeEvery is how often the etcd is asked for a sign of life, which decides
	// Status().Up while nothing changes. Default 5s.
	ProbeEvery time.Duration
	// Answer is how long one read may take. Default 5s.
	Answer time.Duration
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Source follows prefixes of one etcd. It implements [discovery.Source].
type Source struct {
	cfg    Config
	health health
	// asked is the key that a probe asks for: one that the user may read.
	asked atomic.Pointer[string]
}

var _ discovery.Source = (*Source)(nil)

// New returns a source. It starts nothing and connects to nothing.
func New(cfg Config) *Source {
	cfg.Name = cmp.Or(cfg.Name, "default")
	cfg.ProbeEvery = cmp.Or(cfg.ProbeEvery, 5*time.Second)
	cfg.Answer = cmp.Or(cfg.Answer, 5*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	return &Source{cfg: cfg}
}

// Name implements [discovery.Source]: "etcd/default".
func (s *Source) Name() string { return string(gateway.SourceEtcd) + "/" + s.cfg.Name }

// Status implements [discovery.Source].
func (s *Source) Status() discovery.SourceStatus {
	status := s.health.status()
	status.Name = s.Name()
	return status
}

// Run implements [discovery.Source]. It returns nil when ctx ends, and nothing else stops
// it: an etcd that cannot be reached, or does not let us in, is tried again and again.
func (s *Source) Run(ctx context.Context, wants <-chan []discovery.Want, out chan<- gateway.EndpointSet) error {
	r := &run{
		Source: s, out: out,
		followers: map[string]*follower{},
		refused:   map[gateway.SetKey]bool{},
		news:      make(chan news),
		replaced:  make(chan struct{}),
		loggedOut: make(chan struct{}),
	}
	defer s.health.stop()
	if s.cfg.Registry == nil {
		r.serve(ctx, s.cfg.Client, wants)
		return nil
	}
	for ctx.Err() == nil {
		if c := s.connect(ctx); c != nil {
			r.serve(ctx, c, wants)
			_ = c.Close() // its context has ended, or it is of no use any more
		}
	}
	return nil
}

// serve follows what is wanted through a client, until ctx ends or the etcd does not know us
// any more. What was followed before goes on.
func (r *run) serve(ctx context.Context, client *clientv3.Client, wants <-chan []discovery.Want) {
	ctx, cancel := context.WithCancel(ctx)
	defer r.running.Wait()
	defer cancel()
	r.client = client
	r.running.Go(func() { r.probe(ctx, client, r.replaced, r.loggedOut) })
	r.again(ctx)
	for {
		// What can happen: the manager asks for something else; a prefix changed; the etcd
		// is another one than before; it does not know us any more; it is time to stop.
		select {
		case list := <-wants:
			r.want(ctx, list)
		case n := <-r.news:
			r.changed(ctx, n)
		case <-r.replaced:
			r.cfg.Log.Warn("etcd was replaced or restored: reading every prefix again", "source", r.Name())
			r.again(ctx)
		case <-r.loggedOut:
			return
		case <-ctx.Done():
			return
		}
	}
}

// run is the state of one Run, owned by its loop.
type run struct {
	*Source
	client    *clientv3.Client
	out       chan<- gateway.EndpointSet
	followers map[string]*follower
	refused   map[gateway.SetKey]bool // wants whose prefix may not be followed
	news      chan news
	replaced  chan struct{}
	loggedOut chan struct{}
	running   sync.WaitGroup
}

// news is what a follower found.
type news struct {
	from *follower
	content
}

// want starts and stops followers so that they match the list.
func (r *run) want(ctx context.Context, list []discovery.Want) {
	r.health.wants(len(list))
	wanted := map[string]map[gateway.SetKey]bool{}
	refused := map[gateway.SetKey]bool{}
	for _, w := range list {
		if w.Ref.Etcd == nil {
			continue // not ours: the manager sorts by source
		}
		prefix, err := folder(w.Ref.Etcd.Prefix, r.cfg.Reserved, r.cfg.Prefixes)
		if err != nil {
			refused[w.Key] = true
			if !r.refused[w.Key] {
				r.send(ctx, w.Key, content{problems: []string{err.Error()}, refused: true})
			}
			continue
		}
		if wanted[prefix] == nil {
			wanted[prefix] = map[gateway.SetKey]bool{}
		}
		wanted[prefix][w.Key] = true
	}
	r.refused = refused
	for prefix, f := range r.followers {
		if wanted[prefix] == nil {
			f.cancel()
			r.health.forget(prefix)
			delete(r.followers, prefix)
		}
	}
	prefixes := slices.Sorted(maps.Keys(wanted))
	if len(prefixes) > 0 {
		r.asked.Store(&prefixes[0])
	}
	for _, prefix := range prefixes {
		r.follow(ctx, prefix, wanted[prefix])
	}
}

// follow has a follower for the prefix, and sends what is known to wants that are new.
func (r *run) follow(ctx context.Context, prefix string, wants map[gateway.SetKey]bool) {
	f := r.followers[prefix]
	if f == nil {
		f = r.start(ctx, prefix)
	}
	before := f.wants
	f.wants = wants
	if f.known == nil {
		return
	}
	for key := range wants {
		if !before[key] {
			r.send(ctx, key, *f.known)
		}
	}
}

func (r *run) start(ctx context.Context, prefix string) *follower {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{prefix: prefix, client: r.client, answer: r.cfg.Answer, explain: r.explain, cancel: cancel}
	r.followers[prefix] = f
	emit := func(c content) {
		select {
		case r.news <- news{f, c}:
		case <-ctx.Done():
		}
	}
	failed := func(err error) {
		if ctx.Err() == nil && r.health.prefix(prefix, err) {
			r.cfg.Log.Warn("etcd prefix cannot be followed", "source", r.Name(), "error", err)
		}
	}
	r.running.Go(func() { f.run(ctx, emit, failed) })
	return f
}

// changed sends what a prefix holds now, unless that is what it held before.
func (r *run) changed(ctx context.Context, n news) {
	f := n.from
	if r.followers[f.prefix] != f {
		return // the last words of one that was stopped
	}
	r.health.event(time.Now())
	if f.known != nil && f.known.equal(n.content) {
		return
	}
	f.known = &n.content
	for key := range f.wants {
		r.send(ctx, key, n.content)
	}
}

// again reads every prefix anew. Sets stay as they are until then.
func (r *run) again(ctx context.Context) {
	for prefix, f := range r.followers {
		f.cancel()
		fresh := r.start(ctx, prefix)
		fresh.wants, fresh.known = f.wants, f.known
	}
}

func (r *run) send(ctx context.Context, key gateway.SetKey, c content) {
	set := gateway.EndpointSet{SetKey: key, Endpoints: slices.Clone(c.endpoints), Problems: slices.Clone(c.problems), Out: slices.Clone(c.out)}
	if c.refused {
		set.Absence = gateway.AbsenceDeclared
	}
	if set.Endpoints == nil {
		set.Endpoints = []gateway.SourceEndpoint{}
	}
	select {
	case r.out <- set:
	case <-ctx.Done():
	}
}
