package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// nodeLoad is clients that ask through the nodes of a fleet until they are stopped: of each node
// one that keeps its connection, and one that opens one for each request.
type nodeLoad struct {
	host    string
	pause   time.Duration // between two requests of a client
	cancel  context.CancelFunc
	clients sync.WaitGroup

	counts map[string]*nodeCount // by node; not written any more
}

// nodeCount is what the clients of one node have got.
type nodeCount struct {
	asked, failed atomic.Int64
	first         atomic.Pointer[string] // the first failure
	by            sync.Map               // names of backends that answered
}

// loadNodes begins to ask.
func loadNodes(host string, members []mirror, pause time.Duration) *nodeLoad {
	ctx, cancel := context.WithCancel(context.Background())
	l := &nodeLoad{host: host, pause: pause, cancel: cancel, counts: map[string]*nodeCount{}}
	for _, m := range members {
		c := &nodeCount{}
		l.counts[m.name] = c
		for _, fresh := range []bool{false, true} {
			l.clients.Go(func() { l.ask(ctx, m, c, fresh) })
		}
	}
	return l
}

func (l *nodeLoad) ask(ctx context.Context, m mirror, c *nodeCount, fresh bool) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: fresh, DisableCompression: true}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		status, by, err := askNode(&client, m, l.host)
		c.asked.Add(1)
		c.by.Store(by, true)
		if err != nil || status >= 500 {
			c.failed.Add(1)
			text := fmt.Sprintf("status %d by %q: %v", status, by, err)
			c.first.CompareAndSwap(nil, &text)
		}
		select {
		case <-ctx.Done():
		case <-time.After(l.pause):
		}
	}
}

// askNode makes a request to its end, also when the clients are stopped meanwhile.
func askNode(client *http.Client, m mirror, host string) (status int, by string, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+m.Address+"/", nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("X-Backend"), err
}

// stop ends the clients, after the requests that are under way.
func (l *nodeLoad) stop() {
	l.cancel()
	l.clients.Wait()
}

// total is what all clients have got, with the first failure of each node that had any.
func (l *nodeLoad) total() (asked, failed int64, first []string) {
	for name, c := range l.counts {
		asked += c.asked.Load()
		failed += c.failed.Load()
		if f := c.first.Load(); f != nil {
			first = append(first, name+": "+*f)
		}
	}
	return asked, failed, first
}
