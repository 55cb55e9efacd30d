package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

const staying = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com]}
---
kind: Upstream
name: chat
tenant: acme
spec: {endpoints: [{address: %q}, {address: %q}]}
---
kind: Upstream
name: calls
tenant: acme
spec: {protocol: h2c, endpoints: [{address: %q}, {address: %q}]}
---
kind: Upstream
name: spare
tenant: acme
spec: {endpoints: [{address: %q}]}
---
kind: Route
name: chat
tenant: acme
spec: {hosts: [shop.example.com], match: [{path: {prefix: /chat}}], to: [{upstream: chat}]}
---
kind: Route
name: calls
tenant: acme
spec: {hosts: [shop.example.com], match: [{path: {prefix: /test.Talks}}], to: [{upstream: calls}]}
`

// 200 WebSockets and 50 streams of gRPC go on, each message in its turn, while endpoints
// change weight and priority, come, and go (those that the streams are on as well), and while
// routes are changed, moved to another upstream, deleted and made again.
func TestStreamsStayOpen(t *testing.T) {
	const sockets, callStreams, changes = 200, 50, 100
	heard := &listeners{next: map[string]int{}}
	chats, calls := [3]string{}, [3]string{}
	for i := range chats {
		chats[i], calls[i] = heard.socketServer(t), heard.callServer(t)
	}
	s := configure(t, "objects: ["+objectFile(t, fmt.Sprintf(staying, chats[0], chats[1], calls[0], calls[1], chats[2]))+"]\n")
	s.start()
	began := s.startTime()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	var all sync.WaitGroup
	defer func() { // nobody reports to a test that is over
		cancel()
		all.Wait()
	}()

	changed := make(chan struct{})
	var mu sync.Mutex
	sent, failed := map[string]int{}, 0
	for i, open := range talks(ctx, t, s.http, sockets, callStreams) {
		all.Go(func() {
			name := fmt.Sprint("talk ", i)
			n, err := open.run(name, changed)
			mu.Lock()
			defer mu.Unlock()
			if sent[name] = n; err != nil {
				if failed++; failed < 5 {
					t.Errorf("%s after %d messages: %v", name, n, err)
				}
			}
		})
	}
	until(t, time.Minute, "all streams", func() error { return heard.atLeast(sockets+callStreams, ahead) })
	c := changer{s: s, chats: chats, calls: calls}
	for i := range changes {
		if err := c.change(i); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(changed)
	all.Wait()
	heard.mu.Lock()
	defer heard.mu.Unlock()
	messages := 0
	for name, n := range sent {
		if heard.next[name] != n {
			t.Errorf("%s sent %d messages, %d were heard", name, n, heard.next[name])
		}
		messages += n
	}
	if failed > 0 || len(heard.next) != sockets+callStreams || len(heard.faults) > 0 {
		t.Errorf("%d streams failed, %d were opened, faults %q", failed, len(heard.next), heard.faults)
	}
	if now := s.startTime(); now != began {
		t.Errorf("the process that serves started at %s, the one before at %s", now, began)
	}
	fmt.Printf("figure streams_closed_by_changes %d count goal 0\n", failed)
	t.Logf("%d changes, %d messages", changes, messages)
}

// changer makes changes of ten kinds through the admin API.
type changer struct {
	s            *instance
	chats, calls [3]string // the first two serve at the beginning
}

func (c changer) change(i int) error {
	both := []map[string]any{{"address": c.chats[0]}, {"address": c.chats[1]}}
	switch i % 10 {
	case 0:
		return c.endpoints("chat", map[string]any{"address": c.chats[0], "weight": 1 + i}, map[string]any{"address": c.chats[1], "weight": 3})
	case 1: // another one comes
		return c.endpoints("calls", map[string]any{"address": c.calls[0]}, map[string]any{"address": c.calls[1]}, map[string]any{"address": c.calls[2]})
	case 2:
		return c.route("chat", "/chat", map[string]any{"to": to("chat"), "timeout": fmt.Sprint(60+i, "s"), "maxBodySize": fmt.Sprint(1+i, "m")})
	case 3: // the endpoints of all WebSockets go
		return c.endpoints("chat", map[string]any{"address": c.chats[2]})
	case 4:
		return c.answer(i)
	case 5: // the endpoints of all calls go
		return c.endpoints("calls", map[string]any{"address": c.calls[2], "priority": 1})
	case 6: // the route leaves the upstream of its streams
		return c.route("chat", "/chat", map[string]any{"to": to("spare")})
	case 7:
		return c.s.api(http.MethodDelete, "/tenants/acme/routes/calls", nil, nil)
	case 8:
		if err := c.endpoints("chat", both...); err != nil {
			return err
		}
		return c.route("chat", "/chat", map[string]any{"to": to("chat")})
	}
	return c.route("calls", "/test.Talks", map[string]any{"to": to("calls"), "timeout": fmt.Sprint(30+i, "s")})
}

func (c changer) endpoints(upstream string, list ...map[string]any) error {
	return c.s.api(http.MethodPut, "/tenants/acme/upstreams/"+upstream+"/endpoints", map[string]any{"endpoints": list}, nil)
}

func to(upstream string) []map[string]any { return []map[string]any{{"upstream": upstream}} }

func (c changer) route(name, prefix string, spec map[string]any) error {
	spec["hosts"] = []string{"shop.example.com"}
	spec["match"] = []map[string]any{{"path": map[string]any{"prefix": prefix}}}
	return c.s.api(http.MethodPut, "/tenants/acme/routes/"+name, map[string]any{"kind": "Route", "name": name, "tenant": "acme", "spec": spec}, nil)
}

// answer changes what a filter answers and waits until it does: every change up to here has
// reached the proxy that the streams go through.
func (c changer) answer(i int) error {
	text := fmt.Sprint("change ", i)
	err := c.route("aside", "/aside", map[string]any{"filters": []map[string]any{{"respond": map[string]any{"status": 200, "body": text}}}})
	if err != nil {
		return err
	}
	until(c.s.t, time.Minute, text, func() error { return expectBody("http://"+c.s.http+"/aside", "shop.example.com", text) })
	return nil
}
