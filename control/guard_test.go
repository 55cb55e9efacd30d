package control

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// guarded tells a guard what a source says, in short: "a b c" are three endpoints, "a-" one that
// is terminating, "a!" one that is taken out by its key, and "none" that there shall be none.
type guarded struct {
	t *testing.T
	*Guard
	key gateway.SetKey

	mu  sync.Mutex
	out string // guarded by mu; what was handed on last
}

func newGuarded(t *testing.T, cfg GuardConfig) *guarded {
	g := &guarded{t: t, key: gateway.SetKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Source: gateway.SourceEtcd, Place: "default:/api/"}}
	cfg.Out = func(s gateway.EndpointSet) {
		var list []string
		for _, e := range s.Endpoints {
			list = append(list, e.Address+map[bool]string{true: "-"}[e.Terminating])
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.out = strings.Join(list, " ")
	}
	g.Guard = NewGuard(cfg)
	return g
}

func (g *guarded) says(text string) {
	s := gateway.EndpointSet{SetKey: g.key}
	if text == "none" { // and meant
		s.Absence, text = gateway.AbsenceDeclared, ""
	}
	for _, name := range strings.Fields(text) {
		if address, out := strings.CutSuffix(name, "!"); out {
			s.Out = append(s.Out, address)
			continue
		}
		address, terminating := strings.CutSuffix(name, "-")
		s.Endpoints = append(s.Endpoints, gateway.SourceEndpoint{Address: address, Weight: 1, Terminating: terminating})
	}
	g.SetEndpoints(s)
}

func (g *guarded) want(what, endpoints string, problems int) {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.out != endpoints {
		g.t.Errorf("%s: %q are in use, want %q", what, g.out, endpoints)
	}
	if p := g.Problems(); len(p) != problems {
		g.t.Errorf("%s: problems %v", what, p)
	}
}

// What is kept, and what is not: each line is one event of the source.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		name    string
		percent int
		says    []string
		want    string
		held    bool
	}{
		{name: "the first set", says: []string{""}, want: ""},
		{name: "all gone", says: []string{"a b c d", ""}, want: "a b c d", held: true},
		{name: "the only one gone", says: []string{"a", ""}, want: "a", held: true},
		{name: "more than half gone", says: []string{"a b c d", "a"}, want: "a b c d", held: true},
		{name: "half gone", says: []string{"a b c d", "a b"}, want: "a b"},
		{name: "one by one", says: []string{"a b c d", "a b c", "a b", "a"}, want: "a"},
		{name: "the last after one by one", says: []string{"a b", "a", ""}, want: "a", held: true},
		{name: "replaced by as many", says: []string{"a b", "c d"}, want: "c d"},
		{name: "replaced by fewer", says: []string{"a b c d", "e"}, want: "a b c d e", held: true},
		{name: "scaled to zero as declared", says: []string{"a b c", "a- b- c-", ""}, want: ""},
		{name: "terminating while others go", says: []string{"a b c", "a-", ""}, want: "b c", held: true},
		{name: "back again", says: []string{"a b c", "", "a b c"}, want: "a b c"},
		{name: "some back again", says: []string{"a b c", "", "a"}, want: "a b c", held: true},
		{name: "others instead", says: []string{"a b", "", "c d"}, want: "a b c d", held: true},
		{name: "lost, then declared", says: []string{"a b c", "", "a- b- c-", ""}, want: ""},
		{name: "declared at once", says: []string{"a b c", "none"}, want: ""},
		{name: "declared while it is held", says: []string{"a b c", "", "none"}, want: ""},
		{name: "taken out", says: []string{"a b c", "a! b! c!"}, want: ""},
		{name: "taken out while others go", says: []string{"a b c", "a!"}, want: "b c", held: true},
		{name: "lost, then taken out", says: []string{"a b c", "", "a! b! c!", ""}, want: ""},
		{name: "a third allowed", percent: 33, says: []string{"a b", "a"}, want: "a b", held: true},
		{name: "switched off", percent: 100, says: []string{"a b c d", ""}, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuarded(t, GuardConfig{Percent: c.percent})
			for _, text := range c.says {
				g.says(text)
			}
			g.want("in the end", c.want, map[bool]int{true: 1}[c.held])
			g.Accept(g.key.Upstream) // ends the timer
		})
	}
}

// A hold ends when its time is over, endpoint by endpoint when they do not answer, and when
// somebody says so; it can be made longer.
func TestGuardEnds(t *testing.T) {
	verdict := func(address string, state gateway.HealthState) []gateway.Verdict {
		return []gateway.Verdict{{EndpointKey: gateway.EndpointKey{Upstream: gateway.UpstreamKey{Tenant: "acme", Name: "api"}, Address: address}, State: state}}
	}
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, GuardConfig{})
		g.says("a b c")
		g.says("")
		time.Sleep(59 * time.Second)
		synctest.Wait()
		g.want("after 59 s", "a b c", 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		g.want("after 61 s", "", 0)

		g.says("a b c")
		g.says("")
		g.SetVerdicts(verdict("a", gateway.StateHealthy))
		g.SetVerdicts(verdict("b", gateway.StateDown))
		g.want("one does not answer", "a c", 1)
		if p := g.Problems()[0].Message; !strings.Contains(p, "lost 3 of 3") || !strings.Contains(p, "(a, c)") {
			t.Errorf("%s", p)
		}
		if n := g.Extend(g.key.Upstream, time.Now().Add(time.Hour)); n != 2 {
			t.Errorf("%d are held", n)
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		g.want("held for an hour", "a c", 1)
		if n := g.Accept(g.key.Upstream); n != 2 {
			t.Errorf("%d are accepted", n)
		}
		g.want("accepted", "", 0)
		if n := g.Accept(g.key.Upstream) + g.Extend(g.key.Upstream, time.Now()); n != 0 {
			t.Errorf("%d without a hold", n)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		g.want("and later", "", 0)
	})
}

// Who does not answer is not kept, and nobody is told when all of those that went do not.
func TestGuardOfTheIll(t *testing.T) {
	g := newGuarded(t, GuardConfig{})
	verdict := func(address string, state gateway.HealthState) gateway.Verdict {
		return gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: g.key.Upstream, Address: address}, State: state}
	}
	g.says("a b c")
	g.SetVerdicts([]gateway.Verdict{verdict("a", gateway.StateDown), verdict("b", gateway.StateEjected), verdict("c", gateway.StateDown)})
	g.says("")
	g.want("nobody answered", "", 0)
	g.says("a b c")
	g.SetVerdicts([]gateway.Verdict{verdict("b", gateway.StateProbation), verdict("c", gateway.StateUnknown)})
	g.says("")
	g.want("two answer again", "b c", 1)
	g.Accept(g.key.Upstream)
}

// A source that has nothing after a restart has lost what the local copy holds; one that has
// something is believed, since the copy may be old.
func TestGuardAfterARestart(t *testing.T) {
	for says, want := range map[string]string{"": "a b c", "a-": "a- b c", "d": "d", "none": "", "a! b! c!": ""} {
		g := newGuarded(t, GuardConfig{})
		g.Restore([]gateway.EndpointSet{{SetKey: g.key, Endpoints: []gateway.SourceEndpoint{{Address: "a", Weight: 1}, {Address: "b", Weight: 1}, {Address: "c", Weight: 1}}}})
		g.says(says)
		g.want("at first "+says, want, map[bool]int{true: 1}[strings.Contains(want, "b")])
		g.Accept(g.key.Upstream)
		g.says("d")
		g.says("d e")
		g.want("later", "d e", 0)
	}
}

// A place that was not followed for a while may hold anything when it is followed again.
func TestGuardForgets(t *testing.T) {
	g := newGuarded(t, GuardConfig{})
	u := &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: "acme", Name: "api", CreatedRevision: 1},
		Spec: gateway.UpstreamSpec{Discover: []gateway.Discover{{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}}}}
	tenant := &gateway.Tenant{Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"}}
	followed := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant}, Upstreams: []*gateway.Upstream{u}}, 1)
	if d := followed.Upstream(g.key.Upstream); d == nil || d.Discover[0].SetKey(d.Key) != g.key {
		t.Fatalf("the upstream is %+v", d)
	}
	g.Apply(followed)
	g.says("a b c")
	g.Apply(followed)
	g.says("")
	g.want("followed", "a b c", 1)
	g.Apply(gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant}}, 2))
	g.want("not followed", "", 0)
	g.says("a b c")
	g.Apply(followed)
	g.Apply(gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant}}, 3))
	g.says("d")
	g.want("followed again", "d", 0)
}

// Whatever a source says in whatever order, an endpoint that it names is in use, and none stays
// that it does not name for longer than the hold.
func TestGuardKeepsWhatIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, GuardConfig{})
		names := strings.Fields("a b c d e f")
		for i := range 500 {
			var said []string
			for j, name := range names {
				if (i*2654435761>>(j+3))%3 > 0 {
					said = append(said, name)
				}
			}
			g.says(strings.Join(said, " "))
			g.mu.Lock()
			out := g.out
			g.mu.Unlock()
			for _, name := range said {
				if !strings.Contains(" "+out+" ", " "+name+" ") {
					t.Fatalf("%d: %s is said and not in use: %s", i, name, out)
				}
			}
			if i%50 == 49 {
				time.Sleep(61 * time.Second)
				synctest.Wait()
				g.want("after a minute", strings.Join(said, " "), 0)
			}
		}
	})
}
