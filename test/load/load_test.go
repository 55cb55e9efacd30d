package load

import (
	"bufio"
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// serve runs a handler on real sockets.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// script runs a server that sends what is written for the n-th request of the whole test
// (the last entry goes on for ever); "" closes the connection instead, and a trailing "!"
// closes it after the answer.
func script(t *testing.T, answers ...string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	var n atomic.Int64
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					answer := answers[min(int(n.Add(1)), len(answers))-1]
					text, last := strings.CutSuffix(answer, "!")
					if _, err := io.WriteString(conn, text); err != nil || last || answer == "" {
						return
					}
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String() + "/"
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestClosedLoopKeepsItsConnections(t *testing.T) {
	var served atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if r.Host != "shop.example.com" || r.URL.Path != "/a" || r.Header.Get("X-Test") != "1" {
			t.Errorf("request for %q %q, X-Test %q", r.Host, r.URL.Path, r.Header.Get("X-Test"))
		}
		_, _ = io.WriteString(w, "hello")
	})
	var seen atomic.Int64
	r := Run(t.Context(), Config{URL: url + "/a", Host: "shop.example.com", Header: http.Header{"x-test": {"1"}}, Conns: 4, Requests: 200, Body: "hello",
		Observe: func(a Answer) {
			if a.Status == 200 && a.Failure == "" && a.Header.Get("Content-Length") == "5" && !a.End.Before(a.Due) {
				seen.Add(1)
			}
		}})
	if r.Requests != 200 || served.Load() != 200 || seen.Load() != 200 || r.Failures != 0 || r.Opened > 4 || r.Closed != 0 || r.Statuses[200] != 200 {
		t.Errorf("%s; served %d, observed %d", r, served.Load(), seen.Load())
	}
	if r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.P99 || r.Latency.P99 > r.Latency.Max {
		t.Errorf("latency %+v", r.Latency)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	refused := "http://" + freeport.Address(t)
	for _, c := range []struct {
		name    string
		url     string
		reasons map[string]int
		closed  int
	}{
		{"all well", script(t, ok), nil, 0},
		{"interim answers are passed over", script(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+ok), nil, 0},
		{"another status", script(t, ok, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", ok), map[string]int{"status 502, want 200": 1}, 0},
		{"another body", script(t, ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", ok), map[string]int{`body "no", want "ok"`: 1}, 0},
		{"closed instead of an answer", script(t, ok, "", ok), map[string]int{"read the answer's head: connection closed": 1}, 1},
		{"closed within the head", script(t, ok, "HTTP/1.1 200!", ok), map[string]int{"read the answer's head: connection closed": 1}, 1},
		{"closed within the body", script(t, ok, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf!", ok), map[string]int{"read the answer's body: connection closed": 1}, 1},
		{"closed with notice", script(t, ok, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok!", ok), nil, 1},
		{"too late", script(t, ok, "HTTP/1.1 200 OK\r\n", ok), map[string]int{"read the answer's head: time is up": 1}, 0},
		{"nobody there", refused, map[string]int{"connect: refused": 5}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Run(t.Context(), Config{URL: c.url, Conns: 1, Requests: 5, Body: "ok", Timeout: 3 * time.Second})
			failures := 0
			for _, n := range c.reasons {
				failures += n
			}
			if r.Requests != 5 || r.Failures != failures || r.Closed != c.closed || !maps.Equal(r.Reasons, c.reasons) {
				t.Errorf("%s", r)
			}
			for reason := range c.reasons {
				if !strings.Contains(r.String(), " x "+reason) {
					t.Errorf("%q does not name %q", r, reason)
				}
			}
		})
	}
}

func TestIdleConnectionsThatTheServerClosesAreCounted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	var n atomic.Int64
	r := Run(t.Context(), Config{URL: server.URL, Conns: 2, Requests: 8, RatePerSecond: 10, Observe: func(Answer) {
		if n.Add(1) == 4 { // this connection has its answer, and the other one waits for its next request
			server.CloseClientConnections()
		}
	}})
	if r.Requests != 8 || r.Closed < 1 || r.Closed > 2 || r.Opened != 2+r.Closed && r.Opened != 1+r.Closed {
		t.Errorf("%s: want the closed connections counted and replaced", r)
	}
}

func TestRateIsKept(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	start := time.Now()
	r := Run(t.Context(), Config{URL: url, Conns: 3, Requests: 51, RatePerSecond: 100})
	if took := time.Since(start); took < 490*time.Millisecond {
		t.Errorf("51 requests at 100/s took %v: too fast", took)
	}
	if r.Requests != 51 || r.Failures != 0 {
		t.Errorf("%s", r)
	}
}

// A late answer delays the requests behind it, and their latency must show that.
func TestLatencyCountsFromWhenRequestsWereDue(t *testing.T) {
	var n atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(400 * time.Millisecond)
		}
	})
	r := Run(t.Context(), Config{URL: url, Conns: 1, Requests: 20, RatePerSecond: 100})
	if r.Latency.P50 < 150*time.Millisecond {
		t.Errorf("p50 %v: the 19 requests behind a stop of 400 ms waited 210 ms at least", r.Latency.P50)
	}
}

func TestDurationAndContextEndTheRun(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	time.AfterFunc(200*time.Millisecond, func() { close(release) })
	r := Run(ctx, Config{URL: url, Conns: 2, Duration: time.Hour})
	if r.Requests != 2 || r.Failures != 0 {
		t.Errorf("requests on their way are finished, none is begun: %s", r)
	}
	r = Run(t.Context(), Config{URL: url, Conns: 2, Duration: 100 * time.Millisecond})
	if r.Requests < 2 || r.Failures != 0 || r.Elapsed < 100*time.Millisecond {
		t.Errorf("%s", r)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	a, b := newTally(), newTally()
	for i := range 2 * maxReasons {
		a.blame(strings.Repeat("x", i+1), 1)
		b.blame(strings.Repeat("y", i+1), 1)
	}
	a.add(b)
	total := 0
	for _, n := range a.reasons {
		total += n
	}
	if len(a.reasons) != maxReasons+1 || total != 4*maxReasons || a.reasons["other"] != 3*maxReasons {
		t.Errorf("%d reasons, %d failures, %d other", len(a.reasons), total, a.reasons["other"])
	}
}

func TestMistakesInTheConfigPanic(t *testing.T) {
	for want, c := range map[string]Config{
		"only http://":         {URL: "https://x/", Conns: 1, Requests: 1},
		"at least one":         {URL: "http://x/", Requests: 1},
		"bounds the run":       {URL: "http://x/", Conns: 1},
		"invalid control char": {URL: "http://x/\n", Conns: 1, Requests: 1},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("panic %q, want %q", text, want)
				}
			}()
			Run(t.Context(), c)
		})
	}
}
