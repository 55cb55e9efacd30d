package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of the tests; nothing is measured against it.
const patience = 20 * time.Second

// start serves one backend and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	b := newBackend("one", server.Listener.Addr().String(), log.New(io.Discard, "", 0))
	server.Config.Handler = b
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	return server.URL
}

// do sends one request on a connection of its own and returns status and body, or the error.
func do(t *testing.T, method, url string, header ...string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// order gives an order that must be accepted.
func order(t *testing.T, url, query string) {
	t.Helper()
	if status, body, err := do(t, "POST", url+"/_control?"+query); err != nil || status != 200 {
		t.Fatalf("order %s: status %d, %q, %v", query, status, body, err)
	}
}

func TestAnswerNamesItselfAndTheRequest(t *testing.T) {
	url := start(t)
	status, body, err := do(t, "GET", url+"/a/b?c=d", "X-Forwarded-For", "192.0.2.7", "X-Forwarded-Proto", "https", "X-Other", "unseen")
	if err != nil || status != 200 {
		t.Fatalf("status %d, %v", status, err)
	}
	want := "backend one at " + strings.TrimPrefix(url, "http://") + "\nGET /a/b?c=d\nhost: " + strings.TrimPrefix(url, "http://") +
		"\nx-forwarded-for: 192.0.2.7\nx-forwarded-proto: https\n"
	if body != want {
		t.Errorf("body %q, want %q", body, want)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		order          string
		status, health int // 0: the connection ends without a whole answer
		reset          bool
	}{
		{order: "status=502", status: 502, health: 200},
		{order: "status=204", status: 204, health: 200},
		{order: "status=502&health=fail", status: 502, health: 502},
		{order: "health=fail", status: 200, health: 503},
		{order: "delay=1ms", status: 200, health: 200},
		{order: "delay=1ms&status=500", status: 500, health: 200},
		{order: "reset=1", reset: true, health: 200},
		{order: "reset=1&health=fail", reset: true},
		{order: "reset=body", reset: true, health: 200},
		{order: "heal=1", status: 200, health: 200},
	} {
		t.Run(c.order, func(t *testing.T) {
			url := start(t)
			order(t, url, "status=418") // what the case's order must replace
			order(t, url, c.order)
			status, _, err := do(t, "GET", url+"/")
			if c.reset {
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("want a reset, got status %d, %v", status, err)
				}
			} else if err != nil || status != c.status {
				t.Errorf("status %d, %v, want %d", status, err, c.status)
			}
			status, _, err = do(t, "GET", url+"/healthz")
			if status != c.health || (err != nil) != (c.health == 0) {
				t.Errorf("health: status %d, %v, want %d", status, err, c.health)
			}
			order(t, url, "heal")
			if status, _, err := do(t, "GET", url+"/"); err != nil || status != 200 {
				t.Errorf("healed: status %d, %v", status, err)
			}
		})
	}
}

func TestResetInBodySendsHalf(t *testing.T) {
	url := start(t)
	order(t, url, "reset=body")
	status, body, err := do(t, "GET", url+"/")
	if status != 200 || !errors.Is(err, syscall.ECONNRESET) || body != strings.Repeat("half ", 10) {
		t.Errorf("status %d, body %q, error %v", status, body, err)
	}
}

func TestWaitingRequestsAreLetGoByHealing(t *testing.T) {
	for _, query := range []string{"hang=1", "delay=1h&status=502"} {
		t.Run(query, func(t *testing.T) {
			url := start(t)
			order(t, url, query)
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if n, err := conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
				t.Fatalf("answered at once: %d bytes, %v", n, err)
			}
			order(t, url, "heal=1")
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			answer, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
				t.Errorf("after healing: %q, %v", answer, err)
			}
		})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestControlCountsAndRefusesProxies(t *testing.T) {
	url := start(t)
	for range 3 {
		if _, _, err := do(t, "GET", url+"/"); err != nil {
			t.Fatal(err)
		}
	}
	order(t, url, "status=503&delay=1ms")
	_, body, err := do(t, "GET", url+"/_control")
	if want := "backend one waits 1ms, answers 503 Service Unavailable; /healthz is well\nrequests so far: 3\n"; err != nil || body != want {
		t.Errorf("control shows %q, %v, want %q", body, err, want)
	}
	if status, _, err := do(t, "POST", url+"/_control?heal=1", "X-Forwarded-For", "192.0.2.7"); err != nil || status != 403 {
		t.Errorf("through a proxy: status %d, %v, want 403", status, err)
	}
	if status, _, err := do(t, "DELETE", url+"/_control"); err != nil || status != 405 {
		t.Errorf("DELETE: status %d, %v, want 405", status, err)
	}
	if status, _, err := do(t, "GET", url+"/"); err != nil || status != 503 {
		t.Errorf("a refused order changed the fault: status %d, %v", status, err)
	}
}

func TestOrdersNotUnderstoodChangeNothing(t *testing.T) {
	for query, want := range map[string]string{
		"":                     "no order",
		"status=99":            "status=99: give a number from 200 to 599",
		"status=abc":           "status=abc: give a number",
		"delay=2":              "delay=2: give a time such as",
		"delay=-1s":            "delay=-1s: give a time",
		"reset=maybe":          "reset=maybe: give reset=1 or body",
		"hang=0":               "hang=0: give hang=1",
		"health=bad":           "health=bad: give health=keep or fail",
		"stauts=502":           `unknown order "stauts": known are`,
		"status=502&hang=1":    "exclude each other",
		"status=502&heal=1":    "give it alone",
		"status=502&status=5x": "given 2 times",
	} {
		t.Run(query, func(t *testing.T) {
			url := start(t)
			status, body, err := do(t, "POST", url+"/_control?"+query)
			if err != nil || status != 400 || !strings.Contains(body, want) {
				t.Errorf("status %d, %q, %v; want 400 with %q", status, body, err, want)
			}
			if status, _, err := do(t, "GET", url+"/"); err != nil || status != 200 {
				t.Errorf("afterwards: status %d, %v", status, err)
			}
		})
	}
}
