package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Whatever comes and goes, the bounds hold and nothing that may start is left waiting.
func TestLanes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test that can be repeated
	l := lanes{room: 64}
	groups := make([]group, 12)
	var under []*probing
	waits := map[*probing]bool{}
	for i := range 30_000 {
		phase := i / 1000 % 2 // more come, more go
		switch rnd.IntN(4) {
		case 0, 3 * phase:
			p := &probing{group: &groups[rnd.IntN(len(groups))], slow: rnd.IntN(2) == 0}
			waits[p] = true
			l.add(p)
		case 1:
			for p := range waits { // any
				if rnd.IntN(4) == 0 {
					p.stopped = true
				}
				break
			}
		default:
			if n := len(under); n > 0 {
				i := rnd.IntN(n)
				l.done(under[i], rnd.IntN(3) > 0)
				under[i] = under[n-1]
				under = under[:n-1]
			}
		}
		for p := l.start(); p != nil; p = l.start() {
			if !waits[p] || p.stopped || p.slow && p.lane == quickLane {
				t.Fatal("started what does not wait")
			}
			delete(waits, p)
			under = append(under, p)
		}
		slow, of, quick := 0, map[*group]int{}, map[*group]int{}
		for _, p := range under {
			slow += int(p.lane)
			of[p.group]++
			quick[p.group] += 1 - int(p.lane)
		}
		if len(under) != l.running || slow != l.slow || l.running > 64 || l.slow > 32 {
			t.Fatalf("%d under way (%d), %d slow (%d)", len(under), l.running, slow, l.slow)
		}
		for p := range waits {
			g := p.group
			canQuick := !p.slow && g.silent < dark && quick[g] == 0
			if !p.stopped && of[g] < 16 && l.running < 64 && (canQuick || l.slow < 32) {
				t.Fatal("something waits that may start")
			}
		}
		for g, n := range of {
			if n > 16 || quick[g] > 1 {
				t.Fatalf("%d of one group are under way, %d of them in the quick lane", n, quick[g])
			}
		}
	}
}

// Eight upstreams that answer to nobody, many times what there is room for, delay no other:
// not when they are new, and not for more than a moment when they go dark.
func TestDarkUpstreamsDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		times := map[string][]time.Time{}
		var dark bool
		p := NewProber(func(context.Context, Target, Result) bool { return false })
		p.lanes.room = 64
		p.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
			mu.Lock()
			times[address] = append(times[address], time.Now())
			waits := dark && strings.HasPrefix(address, "dark")
			mu.Unlock()
			if waits {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			time.Sleep(time.Millisecond)
			return nil, syscall.ECONNREFUSED
		}
		set := func(name string, n int) {
			key := gateway.UpstreamKey{Tenant: "acme", Name: name}
			var targets []Target
			for i := range n {
				target := target(fmt.Sprintf("%s-%d", name, i), 5*time.Second)
				target.Upstream = key
				targets = append(targets, target)
			}
			p.Set(key, targets)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		set("good", 100)
		for i := range 8 {
			set(fmt.Sprintf("dark%d", i), 100)
		}
		time.Sleep(20 * time.Second)
		mu.Lock()
		dark = true
		mu.Unlock()
		time.Sleep(60 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		worst, probes := time.Duration(0), 0
		for address, at := range times {
			if !strings.HasPrefix(address, "good") {
				continue
			}
			probes += len(at)
			for i, next := range at[1:] {
				worst = max(worst, (next.Sub(at[i]) - 5*time.Second).Abs())
			}
		}
		t.Logf("%d probes of the endpoints that answer, at most %s from the interval", probes, worst)
		if probes < 100*14 || worst >= time.Second {
			t.Errorf("%d probes, %s from the interval; want 1400 or more, below 1s", probes, worst)
		}
	})
}
