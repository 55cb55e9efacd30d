package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// ejector takes an endpoint out of rotation after five gateway errors in a row, as package
// health does.
type ejector struct {
	mu    sync.Mutex
	row   map[string]int // guarded by mu
	bad   chan string
	reach atomic.Int32 // outcomes with a gateway error
}

func (j *ejector) Observe(o gateway.Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if o.Failure == "" && o.Status < 502 {
		j.row[o.Address] = 0
		return
	}
	j.reach.Add(1)
	if j.row[o.Address]++; j.row[o.Address] == 5 {
		j.bad <- o.Address
	}
}

// An endpoint that begins to answer 502, to reset, to hang, or that is killed, costs clients
// with idempotent requests no error: retries within the budget carry them until it is
// ejected. The marks are hardening.md's, section 4.
func TestFaultsCostNoErrors(t *testing.T) {
	for _, fault := range []string{"502", "reset", "hang", "killed"} {
		t.Run(fault, func(t *testing.T) {
			var broken atomic.Bool
			bad := startOrigin(t, func(o *origin, c net.Conn) {
				br := bufio.NewReader(c)
				for {
					if _, err := o.readHead(br); err != nil {
						return
					}
					switch {
					case !broken.Load():
						_, _ = io.WriteString(c, hello)
					case fault == "502":
						_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
					case fault == "hang":
						_, _ = io.Copy(io.Discard, c)
						return
					default:
						return
					}
				}
			})
			a, b := rawOrigin(t, hello, false), rawOrigin(t, hello, false)
			j := &ejector{row: map[string]int{}, bad: make(chan string, 10)}
			rules := retryOn(allReasons...)
			e := start(t, Config{Observer: j}, Listener{}, snap([]string{bad.addr, a.addr, b.addr}, rules))
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for {
					select {
					case <-stop:
						return
					case addr := <-j.bad:
						s := snap([]string{bad.addr, a.addr, b.addr}, rules)
						for i := range s.Upstreams[0].Endpoints {
							s.Upstreams[0].Endpoints[i].InRotation = s.Upstreams[0].Endpoints[i].Address != addr
						}
						e.Apply(s)
					}
				}
			}()
			var wg sync.WaitGroup
			var served, errors atomic.Int32
			for range 8 {
				c := e.dial(t)
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
							t.Error(err)
							return
						}
						resp, err := http.ReadResponse(c.br, nil)
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = io.Copy(io.Discard, resp.Body)
						served.Add(1)
						if resp.StatusCode != 200 {
							errors.Add(1)
						}
					}
				})
			}
			eventually(t, "load", func() bool { return served.Load() > 500 })
			if broken.Store(true); fault == "killed" {
				bad.stop()
			}
			at := served.Load()
			time.Sleep(time.Second)
			eventually(t, "load goes on", func() bool { return served.Load() > at+500 })
			close(stop)
			wg.Wait()
			<-ended
			if errors.Load() > 0 || j.reach.Load() == 0 || j.reach.Load() > 50 {
				t.Errorf("%d errors of %d requests, %d reached the endpoint after it failed", errors.Load(), served.Load(), j.reach.Load())
			}
			t.Logf("%d requests, %d of them reached the failed endpoint", served.Load(), j.reach.Load())
		})
	}
}
