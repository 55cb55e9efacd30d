package configsync

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// shelf is a store of rollouts for several controllers of one process.
type shelf struct {
	mu       sync.Mutex
	value    []byte
	revision int64
	files    map[string]map[string][]byte
	lead     chan struct{} // holds the lead
	notices  map[string][]byte
	news     chan struct{}     // closed at each change
	ran      map[string]string // what nodes run; one goroutine's
	paths    map[string]string // the TreePath of nodes that have another than usual; one goroutine's
}

func newShelf() *shelf {
	return &shelf{files: map[string]map[string][]byte{}, lead: make(chan struct{}, 1), notices: map[string][]byte{}, news: make(chan struct{}), ran: map[string]string{}, paths: map[string]string{}}
}

func (s *shelf) changed() {
	close(s.news)
	s.news = make(chan struct{})
}

// sharer is one control plane's view of a shelf.
type sharer struct {
	*shelf
	name string
}

func (s sharer) Swap(_ context.Context, record []byte, revision int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != revision {
		return false, nil
	}
	s.value, s.revision = record, revision+1
	s.changed()
	return true, nil
}

func (s sharer) follow(ctx context.Context, look func() func()) {
	for {
		s.mu.Lock()
		news, act := s.news, look()
		s.mu.Unlock()
		act()
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
	}
}

func (s sharer) Watch(ctx context.Context, handle func([]byte, int64)) error {
	last := int64(-1)
	s.follow(ctx, func() func() {
		value, revision := s.value, s.revision
		if revision == last {
			return func() {}
		}
		last = revision
		return func() { handle(value, revision) }
	})
	return nil
}

func (s sharer) entry(fleet string, revision uint64) string {
	b, _ := json.Marshal([]any{fleet, revision})
	return string(b)
}

func (s sharer) Files(_ context.Context, fleet string, revision uint64) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.files[s.entry(fleet, revision)]), nil
}

func (s sharer) PutFile(_ context.Context, fleet string, revision uint64, entry string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.entry(fleet, revision)
	if s.files[k] == nil {
		s.files[k] = map[string][]byte{}
	}
	s.files[k][entry] = value
	return nil
}

func (s sharer) DropFiles(_ context.Context, fleet string, revision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, s.entry(fleet, revision))
	return nil
}

func (s sharer) Lead(ctx context.Context, work func(context.Context) error) error {
	select {
	case <-ctx.Done():
		return nil
	case s.lead <- struct{}{}:
	}
	defer func() { <-s.lead }()
	return work(ctx)
}

func (s sharer) Post(ctx context.Context, values <-chan []byte) error {
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			delete(s.notices, s.name)
			s.changed()
			s.mu.Unlock()
			return nil
		case b := <-values:
			s.mu.Lock()
			s.notices[s.name] = b
			s.changed()
			s.mu.Unlock()
		}
	}
}

func (s sharer) Notices(ctx context.Context, handle func(string, map[string][]byte)) error {
	s.follow(ctx, func() func() {
		all := maps.Clone(s.notices)
		return func() { handle(s.name, all) }
	})
	return nil
}

// plane is a control plane that runs until it is stopped.
type plane struct {
	*Controller
	shelf *shelf
	stop  func()
}

func startPlane(s *shelf, name string) plane { return startChecking(s, name, nil) }

// startChecking starts one that has bundles judged.
func startChecking(s *shelf, name string, check Checker) plane {
	c := New(Config{Rollouts: sharer{s, name}, Version: "test", Check: check})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = c.Run(ctx) })
	return plane{c, s, func() { cancel(); done.Wait() }}
}

// wavedSnapshot is testSnapshot on a fleet with waves.
func wavedSnapshot(address, override string) *gateway.Snapshot {
	s := testSnapshot([]string{"shared"}, address, override)
	s.NginxDirectives = []string{"proxy_buffering"}
	s.Fleets[0].Spec = gateway.FleetSpec{Waves: []gateway.Wave{{Count: 1}, {Percent: 100}}}
	return s
}

// obeys reports that a node runs what it is told, as an agent does after a moment, and returns
// what that is.
func (p plane) obeys(t *testing.T, fleet, name string) string {
	t.Helper()
	r := report(name)
	r.Fleet, r.OnDisk, r.Running = fleet, p.shelf.ran[name], p.shelf.ran[name]
	if path := p.shelf.paths[name]; path != "" {
		r.Facts.TreePath = path
	}
	told := mustSync(t, p.Controller, r).Desired
	r.OnDisk, r.Running = told, told
	p.shelf.ran[name] = told
	return mustSync(t, p.Controller, r).Desired
}

// settle lets all agents report for some seconds.
func settle(t *testing.T, seconds int, who map[string]plane) map[string]string {
	t.Helper()
	told := map[string]string{}
	for range seconds {
		for name, p := range who {
			told[name] = p.obeys(t, "shared", name)
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return told
}

func (p plane) text(t *testing.T, node string) string {
	t.Helper()
	tree, err := p.DesiredTree("shared", node)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range tree.Files {
		b.WriteString(f.Data)
	}
	return b.String()
}

// Two control planes, one node at each: the one that leads moves the other's node, too; endpoints
// reach both at once; after both are started anew the rollout goes on; what is aborted goes back.
func TestRolloutOfTwoControlPlanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		p, q := startPlane(s, "p"), startPlane(s, "q")
		apply := func(address, override string) {
			p.Apply(wavedSnapshot(address, override))
			q.Apply(wavedSnapshot(address, override))
		}
		synctest.Wait()
		apply("10.0.0.1:80", "")
		who := map[string]plane{"a": p, "b": q}
		settle(t, 3, who)
		apply("10.0.0.1:80", "proxy_buffering off;")
		settle(t, 5, who)
		expect := func(what string, endpoint string, a, b bool) {
			t.Helper()
			for name, want := range map[string]bool{"a": a, "b": b} {
				text := who[name].text(t, name)
				if got := strings.Contains(text, "proxy_buffering off;"); got != want {
					t.Errorf("%s: node %s has the change: %v, want %v", what, name, got, want)
				}
				if !strings.Contains(text, "server "+endpoint+";") {
					t.Errorf("%s: node %s does not have the endpoint %s", what, name, endpoint)
				}
			}
		}
		expect("the first wave", "10.0.0.1:80", true, false)
		apply("10.0.0.2:80", "proxy_buffering off;")
		expect("an endpoint", "10.0.0.2:80", true, false)

		p.stop()
		q.stop()
		p, q = startPlane(s, "p"), startPlane(s, "q")
		who = map[string]plane{"a": p, "b": q}
		synctest.Wait()
		apply("10.0.0.3:80", "proxy_buffering off;")
		settle(t, 5, who)
		expect("after a restart", "10.0.0.3:80", true, false)
		for node, digest := range s.ran {
			for plane, c := range map[string]plane{"p": p, "q": q} {
				if tree, err := c.Revision("shared", digest); err != nil || tree.Digest != digest {
					t.Errorf("control plane %s does not know what node %s runs: %v", plane, node, err)
				}
			}
		}
		if _, err := q.Act(t.Context(), "shared", gateway.RolloutAbort, "alice"); err != nil {
			t.Fatal(err)
		}
		settle(t, 3, who)
		expect("aborted", "10.0.0.3:80", false, false)
		apply("10.0.0.4:80", "proxy_buffering off;")
		settle(t, 3, who)
		expect("aborted, and an endpoint", "10.0.0.4:80", false, false)
		if _, err := p.Act(t.Context(), "shared", gateway.RolloutResume, "alice"); err != nil {
			t.Fatal(err)
		}
		settle(t, 90, who)
		expect("again", "10.0.0.4:80", true, true)
		for _, c := range who {
			list, err := c.Rollouts("shared")
			if err != nil || len(list) != 2 || list[0].State != gateway.RolloutDone || list[1].State != gateway.RolloutAborted {
				t.Errorf("%v, %+v", err, list)
			}
		}
		s.mu.Lock()
		if len(s.files) != 1 {
			t.Errorf("files of %d revisions stay in the store", len(s.files))
		}
		s.mu.Unlock()
		p.stop()
		q.stop()
	})
}

// A node that joins in the midst of a rollout, or whose facts change then, gets the files that the
// others of its wave have, made for its facts, wherever it reports, and after a restart.
func TestFactsChangeInARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		start := func() (p, q plane) {
			return startChecking(s, "p", &fakeChecker{took: time.Second}), startChecking(s, "q", &fakeChecker{took: time.Second})
		}
		p, q := start()
		synctest.Wait()
		apply := func(address, override string) {
			p.Apply(wavedSnapshot(address, override))
			q.Apply(wavedSnapshot(address, override))
		}
		apply("10.0.0.1:80", "")
		settle(t, 6, map[string]plane{"a": p, "b": p})
		apply("10.0.0.1:80", "proxy_buffering off;")
		settle(t, 8, map[string]plane{"a": p, "b": p})

		s.paths["b"], s.paths["new"], s.paths["elsewhere"] = "/upgraded/current", "/new/current", "/elsewhere/current"
		expect := func(what, endpoint string, who map[string]plane) {
			t.Helper()
			for name, c := range who {
				text := c.text(t, name)
				if got := strings.Contains(text, "proxy_buffering off;"); got != (name == "a") {
					t.Errorf("%s: node %s has the change: %v", what, name, got)
				}
				if !strings.Contains(text, "server "+endpoint+";") || !strings.Contains(text, "unix:"+path.Dir(cmp.Or(s.paths[name], "/t/current"))+"/") {
					t.Errorf("%s: node %s has not the endpoint %s, or not its own files:\n%s", what, name, endpoint, text)
				}
			}
		}
		who := map[string]plane{"a": p, "b": p, "new": p, "elsewhere": q}
		settle(t, 6, who)
		expect("at first", "10.0.0.1:80", who)
		apply("10.0.0.2:80", "proxy_buffering off;")
		settle(t, 6, who)
		expect("an endpoint", "10.0.0.2:80", who)

		p.stop()
		q.stop()
		p, q = start()
		synctest.Wait()
		apply("10.0.0.3:80", "proxy_buffering off;")
		who = map[string]plane{"a": p, "b": q, "new": q, "elsewhere": p}
		settle(t, 8, who)
		expect("after a restart", "10.0.0.3:80", who)
		settle(t, 90, who)
		for name, c := range who {
			if !strings.Contains(c.text(t, name), "proxy_buffering off;") {
				t.Errorf("the rollout is over, and node %s has not the change", name)
			}
		}
		p.stop()
		q.stop()
	})
}

// An upstream that loses its last endpoint changes what its routes answer. That is no change of
// what people want, so it goes to all nodes at once, and so does its return.
func TestLastEndpointDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPlane(newShelf(), "p")
		synctest.Wait()
		who := map[string]plane{"a": p, "b": p, "c": p}
		p.Apply(wavedSnapshot("10.0.0.1:80", ""))
		settle(t, 3, who)
		empty := wavedSnapshot("10.0.0.1:80", "")
		empty.Upstreams[0].Endpoints = nil
		p.Apply(empty)
		for name := range who {
			if text := p.text(t, name); !strings.Contains(text, "return 503") {
				t.Errorf("node %s still asks an endpoint", name)
			}
		}
		settle(t, 3, who)
		p.Apply(wavedSnapshot("10.0.0.2:80", ""))
		for name := range who {
			if text := p.text(t, name); !strings.Contains(text, "server 10.0.0.2:80;") || strings.Contains(text, "return 503") {
				t.Errorf("node %s does not ask the new endpoint", name)
			}
		}
		settle(t, 3, who)
		if list, err := p.Rollouts("shared"); err != nil || len(list) != 0 {
			t.Errorf("%v, %+v", err, list)
		}
		p.stop()
	})
}

// The numbers of a fleet go on when it is deleted and made again.
func TestNumbersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPlane(newShelf(), "p")
		synctest.Wait()
		number := func() uint64 {
			time.Sleep(5 * time.Second)
			p.obeys(t, "shared", "a")
			n, err := p.Node("shared", "a")
			if err != nil {
				t.Fatal(err)
			}
			return n.Revision
		}
		p.Apply(wavedSnapshot("10.0.0.1:80", ""))
		first := number()
		gone := testSnapshot(nil, "10.0.0.1:80", "")
		p.Apply(gone)
		time.Sleep(5 * time.Second)
		p.Apply(wavedSnapshot("10.0.0.1:80", ""))
		if again := number(); first == 0 || again <= first {
			t.Errorf("revision %d, and %d after it was made again", first, again)
		}
		p.stop()
	})
}
