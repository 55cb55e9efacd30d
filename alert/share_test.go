package alert

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func holds(node string, severity gateway.AlertSeverity, ids ...string) (out []gateway.Alert) {
	for _, id := range ids {
		out = append(out, gateway.Alert{ID: id, Kind: gateway.AlertEndpointOut, Severity: severity, Since: start, Node: node})
	}
	return out
}

func notice(t *testing.T, alerts ...gateway.Alert) []byte {
	t.Helper()
	text, err := json.Marshal(shown{Alerts: alerts})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What several nodes find is told once: by the one that leads, from the first that finds it to
// the last that does not any more.
func TestShare(t *testing.T) {
	warning, critical := gateway.SeverityWarning, gateway.SeverityCritical
	s := newShare("edge-1")
	s.unknown = start
	for _, step := range []struct {
		at     time.Duration
		leads  bool
		others map[string][]byte // nil: not known; no entries: nobody else
		own    []gateway.Alert
		want   string
	}{
		{0, false, nil, holds("edge-1", warning, "a"), ""},                                                                              // the others may be there
		{time.Second, false, map[string][]byte{"2": notice(t)}, holds("edge-1", warning, "a"), ""},                                      // another one tells
		{2 * time.Second, true, map[string][]byte{"2": notice(t)}, holds("edge-1", warning, "a"), "a warning"},                          // now this one does
		{3 * time.Second, true, map[string][]byte{"2": notice(t, holds("edge-2", warning, "a")...)}, holds("edge-1", warning, "a"), ""}, // told already
		{4 * time.Second, true, map[string][]byte{"2": notice(t, holds("edge-2", warning, "a")...)}, nil, ""},                           // still so for edge-2
		{5 * time.Second, true, map[string][]byte{"2": notice(t, holds("edge-2", critical, "a")...)}, nil, "a critical"},                // and worse
		{9 * time.Second, true, map[string][]byte{"2": notice(t)}, nil, "a over after 9s"},
		{10 * time.Second, true, map[string][]byte{"2": notice(t, holds("edge-2", warning, "b")...)}, nil, "b warning"}, // only edge-2 finds it
		{11 * time.Second, true, map[string][]byte{}, nil, "b over after 11s"},                                          // edge-2 is gone
		{20 * time.Second, false, map[string][]byte{"2": notice(t)}, holds("edge-1", warning, "c"), ""},
		{60 * time.Second, false, map[string][]byte{"2": notice(t)}, holds("edge-1", warning, "c", "d"), ""},
		{61 * time.Second, true, map[string][]byte{}, holds("edge-1", warning, "c", "d"), "d warning"}, // c was told by whoever led at 20s
		{70 * time.Second, false, nil, holds("edge-1", warning, "c", "d", "e"), ""},
		{86 * time.Second, false, nil, holds("edge-1", warning, "c", "d", "e"), "e warning"}, // alone for long enough
		{87 * time.Second, false, nil, holds("edge-1", warning, "d", "e"), "c over after 1m27s"},
	} {
		now := start.Add(step.at)
		if unread := s.take(now, step.others); len(unread) > 0 {
			t.Errorf("at %s: unread %v", step.at, unread)
		}
		s.leading = step.leads
		tell, _ := s.merge(now, step.own, nil)
		if got := heard(tell); got != step.want {
			t.Errorf("at %s: told %q, want %q", step.at, got, step.want)
		}
	}
	if unread := s.take(start, map[string][]byte{"2": []byte("{")}); !slices.Equal(unread, []string{"2"}) {
		t.Errorf("unread %v", unread)
	}
}

// What the one that tells has told is not told again by the one that takes over; what it may not
// have sent any more is.
func TestShareTakesOver(t *testing.T) {
	one, two := newShare("edge-1"), newShare("edge-2")
	one.leading = true
	a := holds("edge-1", gateway.SeverityWarning, "a")
	both := append(slices.Clone(a), holds("edge-1", gateway.SeverityWarning, "b")...)
	exchange := func(at time.Duration, own []gateway.Alert) (told string) {
		now := start.Add(at)
		tell, _ := one.merge(now, own, nil)
		one.post(now, own, nil)
		select {
		case text := <-one.posts:
			two.take(now, map[string][]byte{one.key: text})
		default:
		}
		if again, _ := two.merge(now, own, nil); len(again) > 0 {
			t.Errorf("at %s the second tells %q", at, heard(again))
		}
		return heard(tell)
	}
	for _, step := range []struct {
		at   time.Duration
		own  []gateway.Alert
		want string
	}{{0, a, "a warning"}, {2 * time.Second, a, ""}, {4 * time.Second, a, ""}, {6 * time.Second, both, "b warning"}} {
		if got := exchange(step.at, step.own); got != step.want {
			t.Errorf("at %s told %q, want %q", step.at, got, step.want)
		}
	}
	two.leading = true
	if tell, _ := two.merge(start.Add(17*time.Second), both, nil); heard(tell) != "b warning" {
		t.Errorf("the second takes over and tells %q, want b alone", heard(tell))
	}
	one.told["a warning"] = start
	one.next = time.Time{}
	one.post(start.Add(2*time.Minute), nil, nil)
	if len(one.told) != 0 {
		t.Errorf("remembered for ever: %v", one.told)
	}
}

// While the others can not be heard, what they said last stands.
func TestShareKeepsTheLastWord(t *testing.T) {
	s := newShare("edge-1")
	s.leading = true
	s.take(start, map[string][]byte{"2": notice(t, holds("edge-2", gateway.SeverityWarning, "a")...)})
	if tell, _ := s.merge(start, holds("edge-1", gateway.SeverityWarning, "a"), nil); len(tell) != 1 || tell[0].Node != "edge-1, edge-2" {
		t.Errorf("told %+v", tell)
	}
	s.take(start, nil)
	if tell, ended := s.merge(start.Add(time.Minute), nil, nil); len(tell) != 0 || len(ended) != 0 {
		t.Errorf("told %+v, over %+v", tell, ended)
	}
}

// board is a store for several Alerts in one process.
type board struct {
	mu     sync.Mutex
	shown  map[string][]byte               // guarded by mu
	watch  map[int]func(map[string][]byte) // guarded by mu
	next   int                             // guarded by mu
	leader chan struct{}                   // holds a value while nobody leads
}

func newBoard() *board {
	b := &board{shown: map[string][]byte{}, watch: map[int]func(map[string][]byte){}, leader: make(chan struct{}, 1)}
	b.leader <- struct{}{}
	return b
}

func (b *board) set(key string, value []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown[key] = value; value == nil {
		delete(b.shown, key)
	}
	for _, handle := range b.watch {
		handle(maps.Clone(b.shown))
	}
}

func (b *board) Post(ctx context.Context, key string, values <-chan []byte) error {
	defer b.set(key, nil)
	for {
		select {
		case <-ctx.Done():
			return nil
		case v := <-values:
			b.set(key, v)
		}
	}
}

func (b *board) Watch(ctx context.Context, handle func(map[string][]byte)) error {
	b.mu.Lock()
	id := b.next
	b.next++
	b.watch[id] = handle
	handle(maps.Clone(b.shown))
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.watch, id)
	return nil
}

func (b *board) Lead(ctx context.Context, work func(context.Context) error) error {
	select {
	case <-ctx.Done():
		return nil
	case <-b.leader:
	}
	defer func() { b.leader <- struct{}{} }()
	return work(ctx)
}

// Two nodes find the same, and the receiver hears of it once; also of its end, by the one that
// is left.
func TestTwoNodesTellOnce(t *testing.T) {
	lines := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Alerts []gateway.Alert }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		for _, a := range m.Alerts {
			state := "begins"
			if a.Resolved {
				state = "ends"
			}
			lines <- a.ID + " " + state
		}
	}))
	defer hook.Close()
	var bad atomic.Bool // what a look at all verdicts finds
	bad.Store(true)
	b := newBoard()
	begin := func(node string) (events chan gateway.HealthEvent, a *Alerts, end func()) {
		r := Receiver{Name: "ops", Type: TypeJSON, URL: hook.URL}
		r.Check(func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
		events = make(chan gateway.HealthEvent, 10)
		a, err := New(Config{Node: node, Receivers: []Receiver{r}, Events: events, Shared: true, Facts: func() Facts { return Facts{} },
			Health: func() []gateway.UpstreamHealth {
				if !bad.Load() {
					return nil
				}
				return []gateway.UpstreamHealth{{Upstream: api, Verdicts: []gateway.Verdict{*verdict(gateway.StateEjected, "error_ratio")}}}
			}, ReceiversOf: func(string) []string { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = a.Run(ctx) })
		running.Go(func() { _ = a.Share(ctx, b) })
		return events, a, func() {
			cancel()
			running.Wait()
			a.senders["ops"].client.CloseIdleConnections()
		}
	}
	one, _, endOne := begin("edge-1")
	two, second, endTwo := begin("edge-2")
	defer endTwo()
	out := *event(0, gateway.EventEjected, verdict(gateway.StateEjected, "error_ratio"))
	one <- out
	two <- out
	told := func(want string) {
		t.Helper()
		select {
		case line := <-lines:
			if line != want {
				t.Fatalf("heard %q, want %q", line, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("never heard %q", want)
		}
	}
	const id = "endpoint_out/acme/api/10.0.0.4:80"
	told(id + " begins")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if list := second.Active(); len(list) == 1 && strings.Contains(list[0].Node, "edge-1, edge-2") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the second node shows %+v", second.Active())
		}
	}
	endOne() // the second still finds it: nobody is told of an end, nor again of the beginning
	bad.Store(false)
	two <- *event(42*time.Second, gateway.EventReturned, verdict(gateway.StateHealthy, "active_rise"))
	told(id + " ends")
	bad.Store(true)
	two <- out // and again: what comes next is this, so that nothing was told in between
	told(id + " begins")
}
