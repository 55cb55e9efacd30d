package dns

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// patience bounds every wait of a test: the machine may be busy.
const patience = 60 * time.Second

var upstreamKey = gateway.UpstreamKey{Tenant: "acme", Name: "api"}

// following is a source that runs.
type following struct {
	*Source
	wants chan []discovery.Want
	out   chan gateway.EndpointSet
}

func follow(t *testing.T, cfg Config, names ...gateway.DNSDiscover) *following {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	f := &following{Source: New(cfg), wants: make(chan []discovery.Want), out: make(chan gateway.EndpointSet)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx, f.wants, f.out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	f.want(names...)
	return f
}

func (f *following) want(names ...gateway.DNSDiscover) {
	list := []discovery.Want{}
	for _, d := range names {
		ref := gateway.Discover{DNS: &d}
		list = append(list, discovery.Want{Key: ref.SetKey(upstreamKey), Ref: ref})
	}
	f.wants <- list
}

// next is the next set, in words: "10.0.0.1:80 10.0.0.2:80*5^1" with weights after a star and
// priorities after a caret where they are not 1 and 0.
func (f *following) next(t *testing.T) string {
	t.Helper()
	select {
	case set := <-f.out:
		return inWords(set)
	case <-time.After(patience):
		t.Fatalf("no set; status %+v", f.Status())
		return ""
	}
}

func inWords(set gateway.EndpointSet) string {
	var words []string
	for _, e := range set.Endpoints {
		w := e.Address
		if e.Weight != 1 {
			w += fmt.Sprintf("*%d", e.Weight)
		}
		if e.Priority != 0 {
			w += fmt.Sprintf("^%d", e.Priority)
		}
		words = append(words, w)
	}
	if set.Absence != "" {
		words = append(words, "absence "+string(set.Absence))
	}
	for _, p := range set.Problems {
		words = append(words, "problem "+p)
	}
	return strings.Join(words, " ")
}

// expect waits for sets until the wanted one comes: others may come before it.
func (f *following) expect(t *testing.T, want string) {
	t.Helper()
	if got := f.next(t); got != want {
		t.Fatalf("set %q, want %q", got, want)
	}
}

// status polls until the source's status is as wanted.
func (f *following) status(t *testing.T, what string, good func(discovery.SourceStatus) bool) discovery.SourceStatus {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s := f.Status()
		if good(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("status %+v, want %s", s, what)
		}
	}
}

// quiet checks that no set comes for a while.
func (f *following) quiet(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case set := <-f.out:
		t.Fatalf("unexpected set %q", inWords(set))
	case <-time.After(d):
	}
}

func a(name string, port int) gateway.DNSDiscover { return gateway.DNSDiscover{Name: name, Port: port} }

func srv(name string) gateway.DNSDiscover { return gateway.DNSDiscover{Name: name, Type: "SRV"} }

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
