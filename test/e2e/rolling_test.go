package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/test/kubetest"
)

// rolled is one Service behind two upstreams: shop.example.com over HTTP/1.1, and
// two.example.com over HTTP/2.
const rolled = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com, two.example.com]}
---
kind: Upstream
name: api
tenant: acme
spec: {discover: [{kubernetes: {namespace: shop, service: api}}]}
---
kind: Upstream
name: two
tenant: acme
spec: {protocol: h2c, discover: [{kubernetes: {namespace: shop, service: api}}]}
---
kind: Route
name: one
tenant: acme
spec: {hosts: [shop.example.com], to: [{upstream: api}]}
---
kind: Route
name: two
tenant: acme
spec: {hosts: [two.example.com], to: [{upstream: two}]}
`

// Ten endpoints are replaced one after the other, as a Deployment does it: the new one is
// ready, the old one gets SIGTERM and the condition "terminating", in the one order or the
// other, and is removed once its process has ended. No request fails, and WebSockets live to
// their end.
func TestRollingRestart(t *testing.T) {
	at, hosts := podAddresses(20)
	if !inNamespace(t, hosts...) {
		return
	}
	var pods []*pod
	for _, a := range at[:10] {
		pods = append(pods, startPod(t, a))
	}
	kube := kubetest.Start(t)
	kube.CreateNamespace("shop")
	kube.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	service := newService(kube, at[:10]...)
	s := configure(t, fmt.Sprintf("kubernetes: [{name: default, kubeconfig: %q}]\nobjects: [%s]\n", kube.Kubeconfig, objectFile(t, rolled)))
	s.start()
	stop := s.underLoad()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h2, sockets := s.requestsOverHTTP2(ctx, 5), s.webSockets(ctx, 10)

	var ends sync.WaitGroup
	for i, old := range pods {
		startPod(t, at[10+i])
		service.ready(at[10+i])
		if i%2 == 0 {
			old.terminate()
			service.terminating(old.address)
		} else {
			service.terminating(old.address)
			old.terminate()
		}
		ends.Go(func() {
			if err := old.wait(); err != nil {
				t.Errorf("pod %s: %v", old.address, err)
			}
			service.gone(old.address)
		})
		time.Sleep(300 * time.Millisecond)
	}
	ends.Wait()
	until(t, time.Minute, "only the new ones", func() error { return s.knows(at[10:]...) })
	time.Sleep(time.Second)
	cancel()
	failed := h2.expect(t, "HTTP/2 requests", 100) + sockets.expect(t, "WebSockets", 20) + stop()
	fmt.Printf("figure rolling_restart_failed %d errors goal 0\n", failed)
}

// tally counts what clients did, and collects what went wrong.
type tally struct {
	done    atomic.Int64
	clients sync.WaitGroup

	mu     sync.Mutex
	faults []error // guarded by mu
}

func (c *tally) note(err error) {
	if err == nil {
		c.done.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, err)
}

// expect waits for the clients, wants no fault and returns how many there were.
func (c *tally) expect(t *testing.T, what string, least int64) int {
	t.Helper()
	c.clients.Wait()
	t.Logf("%d %s, %d failed", c.done.Load(), what, len(c.faults))
	if len(c.faults) > 0 || c.done.Load() < least {
		t.Errorf("%d %s, want at least %d, and these failed: %v", c.done.Load(), what, least, errors.Join(c.faults...))
	}
	return len(c.faults)
}

// requestsOverHTTP2 sends requests by prior knowledge from n clients until ctx ends.
func (s *instance) requestsOverHTTP2(ctx context.Context, n int) *tally {
	c := &tally{}
	for range n {
		c.clients.Go(func() {
			transport := &http.Transport{Protocols: new(http.Protocols)}
			transport.Protocols.SetUnencryptedHTTP2(true)
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
			for ctx.Err() == nil {
				c.note(once(client, "http://"+s.http+"/"))
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	return c
}

func once(client *http.Client, url string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = "two.example.com"
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != 200 || resp.ProtoMajor != 2) {
		err = fmt.Errorf("%s %s: %s", resp.Proto, resp.Status, body)
	}
	return err
}

// webSockets keeps n of them open, each for two seconds, until ctx ends.
func (s *instance) webSockets(ctx context.Context, n int) *tally {
	c := &tally{}
	for range n {
		c.clients.Go(func() {
			for ctx.Err() == nil {
				c.note(s.converse())
			}
		})
	}
	return c
}

// converse has each of 20 messages sent back, and ends in peace.
func (s *instance) converse() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+s.http+"/ws", &websocket.DialOptions{Host: "shop.example.com"})
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer func() { _ = c.CloseNow() }()
	for i := range 20 {
		text := fmt.Sprint("message ", i)
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return fmt.Errorf("send %d: %w", i, err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != text {
			return fmt.Errorf("receive %d: %q, %w", i, got, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return c.Close(websocket.StatusNormalClosure, "")
}
