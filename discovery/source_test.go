package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// puppet is a source that does one step at a time, when the test says so.
type puppet struct {
	steps chan func(ctx context.Context, wants <-chan []Want, out chan<- gateway.EndpointSet) error

	mu     sync.Mutex
	starts []time.Time
	lost   bool
}

func newPuppet() *puppet {
	return &puppet{steps: make(chan func(context.Context, <-chan []Want, chan<- gateway.EndpointSet) error)}
}

func (p *puppet) Name() string { return "puppet" }

func (p *puppet) Status() SourceStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return SourceStatus{Up: !p.lost, LastEvent: time.Unix(1000, 0)}
}

func (p *puppet) Run(ctx context.Context, wants <-chan []Want, out chan<- gateway.EndpointSet) error {
	p.mu.Lock()
	p.starts = append(p.starts, time.Now())
	p.mu.Unlock()
	for {
		select {
		case step := <-p.steps:
			if err := step(ctx, wants, out); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// lose has the source lose what it follows, or find it again.
func (p *puppet) lose(lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = lost
}

// take has the source take a list, and returns it.
func (p *puppet) take() []Want {
	taken := make(chan []Want)
	p.steps <- func(_ context.Context, wants <-chan []Want, _ chan<- gateway.EndpointSet) error {
		taken <- <-wants
		return nil
	}
	return <-taken
}

// offered says whether a list waits to be taken.
func (p *puppet) offered() bool {
	answer := make(chan bool)
	p.steps <- func(_ context.Context, wants <-chan []Want, _ chan<- gateway.EndpointSet) error {
		select {
		case <-wants:
			answer <- true
		case <-time.After(time.Second): // of the bubble: every other goroutine is at rest
			answer <- false
		}
		return nil
	}
	return <-answer
}

func (p *puppet) send(set gateway.EndpointSet) {
	p.steps <- func(_ context.Context, _ <-chan []Want, out chan<- gateway.EndpointSet) error {
		out <- set
		return nil
	}
}

func (p *puppet) fail(err error) {
	p.steps <- func(context.Context, <-chan []Want, chan<- gateway.EndpointSet) error { return err }
}

func (p *puppet) panic(what string) {
	p.steps <- func(context.Context, <-chan []Want, chan<- gateway.EndpointSet) error { panic(what) }
}

// started are the pauses between starts.
func (p *puppet) pauses() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []time.Duration
	for i := 1; i < len(p.starts); i++ {
		list = append(list, p.starts[i].Sub(p.starts[i-1]))
	}
	return list
}
