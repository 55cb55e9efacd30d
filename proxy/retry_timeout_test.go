package proxy

import (
	"net"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// S29: a request is tried on each endpoint once at most, as long as there are attempts and the
// time since its first try has not run out; then it has the answer that is at hand.
func TestS29TryTimeout(t *testing.T) {
	slow := func() *origin {
		return startOrigin(t, func(_ *origin, c net.Conn) {
			in := make([]byte, 4096)
			if _, err := c.Read(in); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
			_, _ = c.Write([]byte("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nslow"))
		})
	}
	for _, c := range []struct {
		name        string
		timeout     time.Duration
		tries       int
		least, most int // exchanges
	}{
		{"attempts end it", 0, 9, 5, 5}, // nobody is asked twice
		{"time ends it", 80 * time.Millisecond, 9, 1, 2},
		{"there is time", time.Minute, 3, 3, 3},
		{"no time at all", time.Nanosecond, 9, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var addrs []string
			for range 5 {
				addrs = append(addrs, slow().addr)
			}
			e := start(t, Config{}, Listener{}, snap(addrs, func(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) {
				u.Retry = gateway.Retry{Attempts: c.tries, On: []string{gateway.Retry502}, Timeout: gateway.Duration(c.timeout)}
			}))
			resp, body := e.dial(t).get("/")
			if resp.StatusCode != 502 || body != "slow" {
				t.Errorf("%d %q", resp.StatusCode, body)
			}
			// The last one is told after the client has its answer.
			eventually(t, "its tries are told", func() bool { return len(e.observed.get()) >= c.least })
			tried := map[string]int{}
			all := e.observed.get()
			for _, o := range all {
				if tried[o.Address]++; tried[o.Address] > 1 {
					t.Errorf("%s was asked twice", o.Address)
				}
			}
			if len(all) < c.least || len(all) > c.most {
				t.Errorf("%d tries, want %d to %d", len(all), c.least, c.most)
			}
		})
	}
}

// Turns go on where they were when all of a group were out meanwhile.
func TestTurnsGoOnAfterAllWereOut(t *testing.T) {
	r := newRegistry(4)
	both, none := eased(3, 0), eased(3, 0)
	both.Endpoints[2].Priority, none.Endpoints[2].Priority = 1, 1
	none.Endpoints[0].InRotation, none.Endpoints[1].InRotation = false, false
	rot := newRotation(both, nil, r.endpoint)
	if e := rot.pick(1, nil, 0); e != rot.all[0] {
		t.Fatal(e.key)
	}
	rot = newRotation(none, rot, r.endpoint)
	if e := rot.pick(1, nil, 0); e != rot.all[2] {
		t.Fatal(e.key)
	}
	rot = newRotation(both, newRotation(none, rot, r.endpoint), r.endpoint)
	if e := rot.pick(1, nil, 0); e != rot.all[1] || len(rot.past) != 0 {
		t.Errorf("%v has the second turn, %d groups are kept", e.key, len(rot.past))
	}
}
