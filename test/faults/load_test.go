package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// perSecond is the rate of every load.
const perSecond = 200

// patience is how long a client waits for an answer.
const patience = 8 * time.Second

// answer is how one request of the load ended.
type answer struct {
	method    string
	sent, end time.Time // sent: when it was due
	by        string    // the endpoint, if it said so
	status    int
	failure   string // empty: a whole answer of 200
}

// took counts from when the request was due, so that a late client counts too.
func (a answer) took() time.Duration { return a.end.Sub(a.sent) }

// load sends requests at a steady rate, each on a connection of its own: the client of
// net/http repeats requests by itself when a kept connection fails, which would hide what is
// looked for here.
type load struct {
	url       string
	postEvery int // 0: GET alone
	client    *http.Client
	stop      context.CancelFunc
	done      chan struct{}

	mu      sync.Mutex
	answers []answer // guarded by mu
}

// startLoad sends requests until end is called.
func startLoad(t *testing.T, url string, postEvery int) *load {
	t.Helper()
	return startLoadBy(t, url, postEvery, &http.Transport{DisableKeepAlives: true})
}

func startLoadBy(t *testing.T, url string, postEvery int, by *http.Transport) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{url: url, postEvery: postEvery, client: &http.Client{Transport: by, Timeout: patience}, stop: stop, done: make(chan struct{})}
	t.Cleanup(l.end)
	go l.run(ctx)
	return l
}

// end waits for the answers that are still to come.
func (l *load) end() {
	l.stop()
	<-l.done
}

func (l *load) run(ctx context.Context) {
	defer close(l.done)
	var all sync.WaitGroup
	defer all.Wait()
	begin := time.Now()
	for i := 0; ; i++ {
		due := begin.Add(time.Duration(i) * time.Second / perSecond)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		method := http.MethodGet
		if l.postEvery > 0 && i%l.postEvery == 0 {
			method = http.MethodPost
		}
		all.Go(func() {
			a := answer{method: method, sent: due}
			if err := l.ask(&a, fmt.Sprintf("%p-%d", l, i)); err != nil {
				a.failure = err.Error()
			}
			a.end = time.Now()
			l.mu.Lock()
			defer l.mu.Unlock()
			l.answers = append(l.answers, a)
		})
	}
}

func (l *load) ask(a *answer, id string) error {
	var what io.Reader
	if a.method == http.MethodPost {
		what = strings.NewReader("order of one")
	}
	req, err := http.NewRequest(a.method, l.url, what)
	if err != nil {
		return err
	}
	req.Host = "shop.test"
	req.Header.Set(idField, id)
	req.Header.Set(sentField, fmt.Sprint(a.sent.UnixNano()))
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.by = resp.StatusCode, resp.Header.Get(byField)
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case a.status != http.StatusOK:
		return fmt.Errorf("status %d", a.status)
	case string(text) != body:
		return fmt.Errorf("%d bytes of body, want %d", len(text), len(body))
	}
	return nil
}

// since lists the answers so far to requests that were sent between two moments, the second
// one excluded. The zero time is no bound.
func (l *load) since(from, to time.Time) (out []answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if !a.sent.Before(from) && (to.IsZero() || a.sent.Before(to)) {
			out = append(out, a)
		}
	}
	return out
}

// count says how many answers are as f wants them.
func count(all []answer, f func(answer) bool) (n int) {
	for _, a := range all {
		if f(a) {
			n++
		}
	}
	return n
}

func failed(method string) func(answer) bool {
	return func(a answer) bool { return a.failure != "" && a.method == method }
}

func by(name string) func(answer) bool {
	return func(a answer) bool { return a.failure == "" && a.by == name }
}

// failures lists the different ones, for a message.
func failures(all []answer) map[string]int {
	kinds := map[string]int{}
	for _, a := range all {
		if a.failure != "" {
			kinds[a.method+" by "+a.by+": "+a.failure]++
		}
	}
	return kinds
}

// longest is the longest time that an answer took.
func longest(all []answer) (d time.Duration) {
	for _, a := range all {
		d = max(d, a.took())
	}
	return d
}

// awaitAll waits until every endpoint has answered.
func (l *load) awaitAll(t *testing.T, endpoints []*endpoint) {
	t.Helper()
	until(t, 30*time.Second, "an answer of each endpoint", func() error {
		all := l.since(time.Time{}, time.Time{})
		for _, e := range endpoints {
			if count(all, by(e.name)) == 0 {
				return fmt.Errorf("none of %s among %d; failed: %v", e.name, len(all), failures(all))
			}
		}
		return nil
	})
}

// awaitReturn waits until the endpoint has answered a request sent after from, and says how
// long after it that one was sent.
func (l *load) awaitReturn(t *testing.T, name string, from time.Time, patience time.Duration) time.Duration {
	t.Helper()
	var first time.Time
	until(t, patience, "return of "+name, func() error {
		for _, a := range l.since(from, time.Time{}) {
			if by(name)(a) && (first.IsZero() || a.sent.Before(first)) {
				first = a.sent
			}
		}
		if first.IsZero() {
			return fmt.Errorf("no answer by it")
		}
		return nil
	})
	return first.Sub(from)
}
