package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to send. URL, Conns and at least one of Duration and Requests are needed.
type Config struct {
	// URL to GET, such as "http://127.0.0.1:8080/path". Only http.
	URL string
	// Host is the Host header. Default: the host of URL.
	Host string
	// Header fields are added to each request.
	Header http.Header

	// Conns is how many connections are kept open, each with one request at a time.
	Conns int
	// Duration ends the run after this time. Zero: only Requests and ctx end it.
	Duration time.Duration
	// Requests ends the run after this many. Zero: only Duration and ctx end it.
	Requests int
	// RatePerSecond is the rate of all connections together: request i is due i/rate after
	// the start, and a late one is sent at once. Zero is a closed loop: each connection
	// sends its next request when it has its answer.
	RatePerSecond float64
	// Timeout bounds each request, connecting included. Default 10s.
	Timeout time.Duration

	// Status that each answer must have. Default 200.
	Status int
	// Body that each answer must have. Empty: any body, but a whole one.
	Body string
	// Observe is told of each answer, from Conns goroutines at once. May be nil.
	Observe func(Answer)
}

// Answer is how one request ended.
type Answer struct {
	// Due is when the request was to be sent, End when its answer was complete.
	Due, End time.Time
	// Status and Header of the answer; 0 and nil when there was none.
	Status int
	Header http.Header
	// Failure is empty, or says what was wrong.
	Failure string
}

// Run sends the load and waits for the end of all requests that were begun. When the time
// is up, or ctx ends, no new request is begun, and those on their way are still finished
// and judged, so that the end of a run never looks like a failure.
//
// A Config that cannot be run is a mistake in the program and panics.
func Run(ctx context.Context, c Config) Result {
	target, err := c.complete()
	if err != nil {
		panic("load: " + err.Error())
	}
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	s := &schedule{start: time.Now(), requests: int64(c.Requests)}
	if c.RatePerSecond > 0 {
		s.interval = float64(time.Second) / c.RatePerSecond
	}
	clients := make([]*client, c.Conns)
	var all sync.WaitGroup
	for i := range clients {
		clients[i] = newClient(c, target)
		all.Go(func() { clients[i].run(ctx, s) })
	}
	all.Wait()
	total := newTally()
	for _, cl := range clients {
		total.add(cl.tally)
	}
	return total.result(time.Since(s.start))
}

// complete checks c, fills in defaults and returns the address to connect to.
func (c *Config) complete() (address string, err error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return "", fmt.Errorf("URL: %w", err)
	case u.Scheme != "http" || u.Host == "":
		return "", fmt.Errorf("URL %q: only http://host[:port]/path is supported", c.URL)
	case c.Conns < 1:
		return "", fmt.Errorf("connections (Conns) are %d: at least one connection is needed", c.Conns)
	case c.Duration <= 0 && c.Requests <= 0:
		return "", fmt.Errorf("neither Duration nor Requests bounds the run")
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80"), nil
	}
	return u.Host, nil
}

// schedule hands out the requests of a run in order. Its fields do not change after the
// start, besides next, which is atomic.
type schedule struct {
	start    time.Time
	interval float64 // nanoseconds between requests; 0 is a closed loop
	requests int64   // 0 is no bound
	next     atomic.Int64
}

// wait returns when the next request is due, and the time at which it was due. It returns
// false when there is none left or ctx ends first.
func (s *schedule) wait(ctx context.Context) (due time.Time, ok bool) {
	n := s.next.Add(1) - 1
	if s.requests > 0 && n >= s.requests {
		return due, false
	}
	if s.interval == 0 {
		return time.Now(), ctx.Err() == nil
	}
	due = s.start.Add(time.Duration(float64(n) * s.interval))
	if early := time.Until(due); early > 0 {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return due, false
		case <-timer.C:
		}
	}
	return due, ctx.Err() == nil
}
