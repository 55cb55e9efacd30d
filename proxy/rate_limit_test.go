package proxy

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// counted is a bucket as textbooks have it: tokens that come at a rate, in exact arithmetic.
type counted struct{ tokens, at int64 } // tokens in nanoseconds of the rate

func (c *counted) take(now, interval, tolerance int64) bool {
	c.tokens = min(c.tokens+now-c.at, tolerance+interval)
	if c.at = now; c.tokens < interval {
		return false
	}
	c.tokens -= interval
	return true
}

// Random arrivals at random buckets: what passes is what a bucket of tokens lets pass, and a
// client that waits as long as it is told is let in.
func TestBucketsAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		interval, b := 1+r.Int64N(1000), &buckets{}
		tolerance := interval * r.Int64N(20)
		ref := map[uint64]*counted{}
		now := int64(1e9)
		for range 500 {
			now += r.Int64N(interval)
			key := r.Uint64N(3)
			if ref[key] == nil {
				ref[key] = &counted{tokens: tolerance + interval, at: now}
			}
			wait := b.take(key, now, interval, tolerance)
			if want := ref[key].take(now, interval, tolerance); (wait == 0) != want {
				t.Fatalf("passes: %v, want %v", wait == 0, want)
			}
			if wait < 0 || wait > interval {
				t.Fatalf("told to wait %d, with %d between two requests", wait, interval)
			}
			if wait > 0 && (b.take(key, now+wait-1, interval, tolerance) == 0 || b.take(key, now+wait, interval, tolerance) != 0) {
				t.Fatalf("after %d it is not let in, or before", wait)
			} else if wait > 0 {
				now += wait
				ref[key].take(now, interval, tolerance)
			}
		}
	}
}

// A flood of keys costs bounded memory and forgets the oldest alone.
func TestBucketsAreBounded(t *testing.T) {
	b := &buckets{}
	for key := range uint64(2 * maxKeys) {
		b.take(key, 1e9, 1e9, 0)
	}
	if n := b.keys(); n != maxKeys {
		t.Errorf("%d keys are remembered, want %d", n, maxKeys)
	}
	if b.take(2*maxKeys-1, 1e9, 1e9, 0) == 0 || b.take(0, 1e9, 1e9, 0) != 0 {
		t.Error("the newest key is forgotten, or the oldest is not")
	}
	if b.take(5*maxKeys, 1e9, 3600e9, 0) != 0 || b.take(5*maxKeys, 2e9, 1e6, 0) > 1e6 {
		t.Error("a limit that was raised holds against what came under the old one")
	}
}

// Who came once is not remembered for ever: what a limit holds is in proportion to those who come.
func TestBucketsForgetTheFull(t *testing.T) {
	b := &buckets{}
	now := int64(1e9)
	for key := range uint64(10_000) {
		b.take(key, now, 1e9, 0)
	}
	if n := b.keys(); n != 10_000 {
		t.Fatalf("%d keys that are counted are remembered, want 10000", n)
	}
	now += 2e9
	b.take(7, now, 1e9, 0)
	for key := range uint64(10_000) {
		b.take(20_000+key, now, 1e9, 0)
	}
	if n := b.keys(); n != 10_001 {
		t.Errorf("%d keys are remembered, want 10001", n)
	}
	if b.take(7, now, 1e9, 0) == 0 || b.take(20_000, now, 1e9, 0) == 0 {
		t.Error("a key that was counted is forgotten")
	}
}

// asking is an exchange whose head has been parsed, of a client at 192.0.2.1.
func asking(t *testing.T, head, peer string) *exchange {
	t.Helper()
	c := &conn{l: &listener{}, in: &inbound{}, from: netip.AddrPortFrom(netip.MustParseAddr(peer), 1)}
	c.in.buf.ensure(sizeHead)
	c.in.buf.n = copy(c.in.buf.free(), crlf(head))
	if done, err := c.in.req.Parse(c.in.buf.filled(), http1.Limits{}); err != nil || !done {
		t.Fatalf("%q: %v", head, err)
	}
	return &exchange{c: c, front: c, startedAt: 1e9}
}

func TestLimitKeys(t *testing.T) {
	plain := "GET / HTTP/1.1\nHost: Shop.test:80\n\n"
	keyed := "GET / HTTP/1.1\nHost: shop.test.\nX-Api-Key: a\n\n"
	empty := "GET / HTTP/1.1\nHost: other.test\nX-Api-Key:\n\n"
	of := func(k gateway.LimitKey, head, peer string) uint64 {
		key := newLimitKey(k)
		return key.of(asking(t, head, peer))
	}
	client, host, all, header := gateway.LimitKey{By: "client"}, gateway.LimitKey{By: "host"}, gateway.LimitKey{By: "route"}, gateway.LimitKey{By: "header", Header: "x-api-key"}
	for _, c := range []struct {
		key          gateway.LimitKey
		head1, peer1 string
		head2, peer2 string
		same         bool
	}{
		{client, plain, "192.0.2.1", keyed, "192.0.2.1", true},
		{client, plain, "192.0.2.1", plain, "192.0.2.2", false},
		{client, plain, "192.0.2.1", plain, "::ffff:192.0.2.1", true},
		{client, plain, "2001:db8::1", plain, "2001:db8::ffff:2", true},
		{client, plain, "2001:db8::1", plain, "2001:db8:0:1::1", false},
		{host, plain, "192.0.2.1", keyed, "192.0.2.2", true},
		{host, plain, "192.0.2.1", empty, "192.0.2.1", false},
		{all, plain, "192.0.2.1", empty, "192.0.2.2", true},
		{header, keyed, "192.0.2.1", keyed, "192.0.2.2", true},
		{header, keyed, "192.0.2.1", plain, "192.0.2.1", false},
		{header, plain, "192.0.2.1", plain, "192.0.2.2", false},
		{header, plain, "192.0.2.1", empty, "192.0.2.1", true},
	} {
		if same := of(c.key, c.head1, c.peer1) == of(c.key, c.head2, c.peer2); same != c.same {
			t.Errorf("by %v, %q of %s and %q of %s are counted together: %v", c.key, c.head1, c.peer1, c.head2, c.peer2, same)
		}
	}
}

// A request within the limit, and one that is not, cost no allocation.
func TestRateLimitAllocates(t *testing.T) {
	for _, k := range []gateway.LimitKey{{By: "client"}, {By: "host"}, {By: "route"}, {By: "header", Header: "x-api-key"}} {
		burst := 1000
		l := newRateLimit(&gateway.RateLimit{Requests: 1, Per: gateway.Duration(1e9), Burst: &burst, Key: k, Status: 429}, &buckets{})
		x := asking(t, "GET / HTTP/1.1\nHost: Shop.test\nX-Api-Key: a\n\n", "192.0.2.1")
		x.route = &route{rate: l, refused: &target{}}
		refused := 0
		if n := testing.AllocsPerRun(3000, func() {
			if x.withinLimits() != nil {
				refused++
			}
		}); n != 0 || refused != 2000 {
			t.Errorf("%v: %v allocations, %d refused", k, n, refused)
		}
	}
}

// limitedTo puts a limit on the only route.
func limitedTo(l gateway.RateLimit, change ...func(*gateway.EffectiveUpstream, *gateway.EffectiveRoute)) func(*gateway.EffectiveUpstream, *gateway.EffectiveRoute) {
	return func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		r.RateLimit = &l
		for _, c := range change {
			c(u, r)
		}
	}
}

var twoAnHour = gateway.RateLimit{Requests: 1, Per: gateway.Duration(3600e9), Burst: new(1), Key: gateway.LimitKey{By: "route"}, Status: 429}

// What is too much is answered by the edge, with the time to wait, over both codecs, and counted;
// buckets survive changes of other things and go with the route.
func TestRateLimit(t *testing.T) {
	o := rawOrigin(t, hello, false)
	var log syncBuffer
	e := start(t, Config{AccessLog: &log}, Listener{}, snap([]string{o.addr}, limitedTo(twoAnHour)))
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(e)
	c := e.dial(t)
	for i, want := range []string{"200", "200", "429", "429"} {
		c.send(crlf("GET / HTTP/1.1\nHost: x\n\n"))
		resp, body := c.answer("GET")
		after := resp.Header.Get("Retry-After")
		if !strings.HasPrefix(resp.Status, want) || resp.Close || (want == "429") != (len(after) == 4) || want == "429" && !strings.Contains(body, "rate_limit") {
			t.Errorf("request %d: %s %q, close %v, retry after %q", i, resp.Status, body, resp.Close, after)
		}
	}
	e.Apply(snap([]string{o.addr, o.addr}, limitedTo(twoAnHour, func(_ *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) { r.Timeout = 5e9 })))
	resp, err := priorKnowledge(t).Get("http://" + e.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("over HTTP/2, after another change: %s %v", resp.Status, resp.Header)
	}
	eventually(t, "counts", func() bool { // a request is counted when its answer has been sent
		return gather(t, reg)["sluice_requests_total code=429 listener=test route=all tenant=acme upstream="] == 3
	})
	figures := gather(t, reg)
	for name, want := range map[string]float64{
		"sluice_route_limited_total limit=rate route=all tenant=acme": 3, "sluice_route_limit_keys limit=rate route=all tenant=acme": 1,
		"sluice_requests_total code=429 listener=test route=all tenant=acme upstream=": 3,
	} {
		if figures[name] != want {
			t.Errorf("%s is %v, want %v", name, figures[name], want)
		}
	}
	eventually(t, "log lines", func() bool { return strings.Count(log.String(), `"reason":"rate_limit"`) == 3 })
	e.Apply(snap([]string{o.addr}, nil))
	if n := len(e.compiled.limits); n != 0 {
		t.Errorf("%d routes without a limit have buckets", n)
	}
	if resp, _ := e.dial(t).get("/"); resp.StatusCode != http.StatusOK {
		t.Errorf("without the limit: %s", resp.Status)
	}
}

// A gRPC client is told UNAVAILABLE, as Envoy and the mapping of 429 have it.
func TestRateLimitGRPC(t *testing.T) {
	e, cc := grpcThrough(t)
	e.Apply(snap([]string{e.snap.Upstreams[0].Endpoints[0].Address}, limitedTo(twoAnHour, speakH2C)))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, want := range []codes.Code{codes.OK, codes.OK, codes.Unavailable} {
		in, out := &message{Value: []byte("a")}, new(message)
		err := cc.Invoke(ctx, "/test.Calls/Unary", in, out)
		if status.Code(err) != want || want == codes.OK && !bytes.Equal(out.Value, in.Value) || err != nil && !strings.Contains(err.Error(), "rate_limit") {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
}
