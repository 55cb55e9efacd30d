package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// balanced is an upstream of endpoints with these weights, in rotation.
func balanced(b gateway.Balance, weights ...int) *gateway.EffectiveUpstream {
	u := eased(len(weights), 0)
	u.Balance = b
	for i, w := range weights {
		u.Endpoints[i].Weight = w
	}
	return u
}

// Every policy shares by weight when endpoints are alike, chooses nobody who was tried or does
// not take connections as long as there is another, and allocates nothing.
func TestPolicies(t *testing.T) {
	for _, name := range gateway.BalancePolicies {
		t.Run(name, func(t *testing.T) {
			rot := newRotation(balanced(gateway.Balance{Policy: name}, 4, 2, 2), nil, newRegistry(4).endpoint)
			now, count := socket.Now(), map[*endpoint]int{}
			for k := range 8000 {
				e := rot.pick(now, nil, balance.Key(fmt.Append(nil, k)))
				e.inFlight.Add(1) // for load to count, all stay under way
				count[e]++
			}
			for i, want := range []int{4000, 2000, 2000} {
				if got := count[rot.all[i]]; got < want*3/4 || got > want*5/4 {
					t.Errorf("%s of weights 4:2:2 has %d, want about %d", rot.all[i].key.Address, got, want)
				}
			}
			rot.all[0].skipUntil.Store(now + 1e9)
			for k := range uint64(200) {
				if e := rot.pick(now, rot.all[1:2], k); e != rot.all[2] {
					t.Fatalf("it goes to %s, which was tried or is away", e.key.Address)
				}
				if e := rot.pick(now, rot.all[1:], k); e != rot.all[0] {
					t.Fatalf("the last one is not tried, but %v", e)
				}
				if e := rot.pick(now, rot.all, k); e != nil {
					t.Fatalf("%s is tried twice", e.key.Address)
				}
			}
			if n := testing.AllocsPerRun(1000, func() { rot.pick(now, nil, 7) }); n != 0 {
				t.Errorf("a choice allocates %v times", n)
			}
		})
	}
}

// Who has fewer requests under way for its weight is next, by turns among equals, of few
// endpoints and of many.
func TestLeastRequest(t *testing.T) {
	for _, n := range []int{3, 40} {
		rot := newRotation(balanced(gateway.Balance{Policy: "least_request"}, slices.Repeat([]int{1}, n)...), nil, newRegistry(4).endpoint)
		now := socket.Now()
		for i, e := range rot.all {
			e.inFlight.Store(int64(10 * i))
		}
		busy, idle := 0, 0
		for range 4000 {
			switch rot.pick(now, nil, 0) {
			case rot.all[n-1]:
				busy++
			case rot.all[0]:
				idle++
			}
		}
		if n == 3 && idle != 4000 {
			t.Errorf("%d of 4000 went to the idle one of three", idle)
		}
		if n == 40 && (busy > 20 || idle < 100) {
			t.Errorf("%d of 4000 went to the busiest one of forty, %d to the idle one", busy, idle)
		}
	}
}

// The slower of two gets little, and one that fails at once is not taken for a fast one.
func TestByLatency(t *testing.T) {
	rot := newRotation(balanced(gateway.Balance{Policy: "p2c_ewma"}, 1, 1, 1), nil, newRegistry(4).endpoint)
	now := socket.Now()
	for i := range int64(50) {
		rot.judge(rot.all[0], now+i, 20e6, false)
		rot.judge(rot.all[1], now+i, 2e6, false)
		rot.judge(rot.all[2], now+i, 1e5, true)
	}
	got := map[*endpoint]int{}
	for range 3000 {
		got[rot.pick(now+60, nil, 0)]++
	}
	if got[rot.all[1]] < 1500 || got[rot.all[2]] > 500 {
		t.Errorf("slow %d, fast %d, failing %d", got[rot.all[0]], got[rot.all[1]], got[rot.all[2]])
	}
}

// S30: while an endpoint is out of rotation its keys have other homes and nobody else's move;
// they come back with it. Slow start does not send a key now here, now there.
func TestS30KeysComeBack(t *testing.T) {
	hash := gateway.Balance{Policy: "hash"}
	r := newRegistry(4)
	now := socket.Now()
	homes := func(rot *rotation) (out []*endpoint) {
		for k := range 3000 {
			out = append(out, rot.pick(now, nil, balance.Key(fmt.Append(nil, k))))
		}
		return out
	}
	u := balanced(hash, 1, 2, 1, 1)
	u.SlowStart = halfMinute
	rot := newRotation(u, nil, r.endpoint)
	whole := homes(rot)
	out := balanced(hash, 1, 2, 1, 1)
	out.Endpoints[1].InRotation, out.Endpoints[1].Verdict.State = false, gateway.StateEjected
	without := newRotation(out, rot, r.endpoint)
	gone, others := rot.all[1], 0
	for k, e := range homes(without) {
		if e == gone {
			t.Fatal("a key is with the one that is out")
		}
		if whole[k] != gone && whole[k] != e {
			others++
		}
	}
	if others != 0 {
		t.Errorf("%d keys of others moved", others)
	}
	back := newRotation(u, without, r.endpoint)
	if !slices.Equal(whole, homes(back)) {
		t.Error("the keys did not come back")
	}
	if g := &back.groups[0]; g.ring.Ring != rot.groups[0].ring.Ring {
		t.Error("the ring was made anew though nobody came or went")
	}
	count := map[*endpoint]int{}
	for _, e := range whole {
		count[e]++
	}
	if c := count[gone]; c < 1000 || c > 1400 {
		t.Errorf("the one of weight 2 of 5 has %d of 3000 keys", c)
	}
}

// With a bound, an endpoint that has more than its share under way passes keys on; without one
// a key keeps its endpoint whatever it costs.
func TestBoundedLoad(t *testing.T) {
	for _, c := range []struct{ bound, most int }{{0, 100}, {125, 45}} {
		rot := newRotation(balanced(gateway.Balance{Policy: "hash", MaxLoadPercent: c.bound}, 1, 1, 1), nil, newRegistry(4).endpoint)
		now, most := socket.Now(), int64(0)
		for range 100 {
			rot.pick(now, nil, 42).inFlight.Add(1)
		}
		for _, e := range rot.all {
			most = max(most, e.inFlight.Load())
		}
		if most > int64(c.most) || c.bound == 0 && most != 100 {
			t.Errorf("bound %d: one has %d of 100", c.bound, most)
		}
	}
}

// What is hashed over the wire: the path without its query, the client, a header, a cookie, and
// what counts where these are missing.
func TestS30HashedBy(t *testing.T) {
	var addrs []string
	for i := range 4 {
		o := httpOrigin(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, i) })
		addrs = append(addrs, o.addr)
	}
	for _, c := range []struct {
		on, name  string
		same, not []string // requests that go to the home of the first, and that spread
	}{
		{on: "uri", same: []string{"/a?x=1", "/a?x=2", "/a", "/b/../a"}, not: paths(40, "/%d", "")},
		{on: "ip", same: append(paths(40, "/%d", ""), "/a")},
		{on: "header", name: "X-Hash-Key", same: paths(40, "/%d", "X-hash-key: k1"), not: paths(40, "/", "X-Hash-Key: %d")},
		{on: "header", name: "X-Hash-Key", same: []string{"/a", "/a?b"}, not: paths(40, "/%d", "")},
		{on: "cookie", name: "sid", same: paths(40, "/%d", "Cookie: a=b; sid=k1; c=d"), not: paths(40, "/", "Cookie: asid=x; sid=%d")},
		{on: "cookie", name: "sid", same: paths(40, "/%d", "Cookie: a=b")},
	} {
		e := start(t, Config{}, Listener{}, snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
			u.Balance = gateway.Balance{Policy: "hash", On: c.on, Name: c.name}
		}))
		cl := e.dial(t)
		ask := func(r string) string {
			path, field, ok := strings.Cut(r, " ")
			if ok {
				field += "\n"
			}
			cl.send(crlf("GET " + path + " HTTP/1.1\nHost: x\n" + field + "\n"))
			_, body := cl.answer("GET")
			return body
		}
		homes := map[string]bool{}
		for _, r := range c.same {
			homes[ask(r)] = true
		}
		if len(homes) != 1 {
			t.Errorf("%s %s: requests of one key went to %v", c.on, c.name, homes)
		}
		clear(homes)
		for _, r := range c.not {
			homes[ask(r)] = true
		}
		if c.not != nil && len(homes) != 4 {
			t.Errorf("%s %s: requests of forty keys went to %v", c.on, c.name, homes)
		}
	}
}

// paths are requests "path field", one of which counts up.
func paths(n int, path, field string) (out []string) {
	for i := range n {
		p, f := path, field
		if strings.Contains(p, "%d") {
			p = fmt.Sprintf(p, i)
		}
		if strings.Contains(f, "%d") {
			f = fmt.Sprintf(f, i)
		}
		out = append(out, strings.TrimSpace(p+" "+f))
	}
	return out
}
