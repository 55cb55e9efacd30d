package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// priorKnowledge is a client of net/http that speaks HTTP/2 without TLS.
func priorKnowledge(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Timeout: patience, Transport: tr}
}

// h2cOrigin serves HTTP/2 without TLS by net/http.
func h2cOrigin(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return ln.Addr().String()
}

func speakH2C(u *gateway.EffectiveUpstream, _ *gateway.EffectiveRoute) { u.Protocol = "h2c" }

// describe answers with what the origin saw of the request.
func describe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum")
	w.Header().Set("X-Seen", fmt.Sprintf("%s %s %s %s te=%q length=%d for=%s", r.Proto, r.Method, r.Host, r.RequestURI,
		r.Header.Get("Te"), r.ContentLength, r.Header.Get("X-Forwarded-For")))
	w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	w.Header().Set("X-Cookie", r.Header.Get("Cookie"))
	answer := http.NewResponseController(w)
	_ = answer.EnableFullDuplex() // else HTTP/1.1 drops the body at the first write
	_ = answer.Flush()            // else small bodies get a length, and HTTP/1.1 has no trailers then
	n, _ := io.Copy(w, r.Body)
	w.Header().Set("X-Sum", fmt.Sprint(n, r.Trailer.Get("X-Late")))
}

// Every pair of codecs carries the same requests: bodies of all sizes, with a length and
// without, trailers, many at a time.
func TestCodecsInPairs(t *testing.T) {
	h1 := httpOrigin(t, describe).addr
	h2 := h2cOrigin(t, describe)
	plain := &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(plain.CloseIdleConnections)
	for _, c := range []struct {
		name   string
		client *http.Client
		edge   *edge
		proto  string
	}{
		{"1 to 1", plain, start(t, Config{}, Listener{}, snap([]string{h1}, nil)), "HTTP/1.1"},
		{"2 to 1", priorKnowledge(t), start(t, Config{}, Listener{}, snap([]string{h1}, nil)), "HTTP/1.1"},
		{"1 to 2", plain, start(t, Config{}, Listener{}, snap([]string{h2}, speakH2C)), "HTTP/2.0"},
		{"2 to 2", priorKnowledge(t), start(t, Config{}, Listener{}, snap([]string{h2}, speakH2C)), "HTTP/2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 120 {
				wg.Go(func() {
					if i%3 == 0 {
						giveUpOne(t, c.client, c.edge.addr)
					}
					exchangeOne(t, c.client, c.edge.addr, c.proto, i)
				})
			}
			wg.Wait()
			if fs := c.edge.observed.failures(); len(fs) > 0 {
				t.Errorf("failures %v", fs)
			}
		})
	}
}

// giveUpOne leaves while its body and the answer are on their way. Nobody else gets any of either.
func giveUpOne(t *testing.T, client *http.Client, addr string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr+"/", io.LimitReader(zeros{}, 1<<30))
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body) // until the time is over
	_ = resp.Body.Close()
}

func exchangeOne(t *testing.T, client *http.Client, addr, proto string, i int) {
	sizes := []int{0, 1, 100, 5000, 12 << 10, 12<<10 + 1, 70_000, 1 << 20}
	body := bytes.Repeat([]byte{byte('a' + i%26)}, sizes[i%len(sizes)])
	late := ""
	req, err := http.NewRequest("POST", fmt.Sprintf("http://%s/p%%20q/%d?x=%%2F&y", addr, i), bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	req.Host = "shop.example.com"
	req.Header.Set("Cookie", "c=3; d=4")
	want := fmt.Sprintf("%s POST shop.example.com /p%%20q/%d?x=%%2F&y te=%q length=%d for=127.0.0.1", proto, i, "", len(body))
	if i/len(sizes)%2 == 1 && len(body) > 0 { // without a length, and with a trailer
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), -1
		late = "late"
		req.Trailer = http.Header{"X-Late": {late}}
		want = strings.Replace(want, fmt.Sprint("length=", len(body)), "length=-1", 1)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Errorf("request %d: %v", i, err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("request %d: %d bytes of %d, %v", i, len(got), len(body), err)
	}
	if seen := resp.Header.Get("X-Seen"); seen != want {
		t.Errorf("request %d: the origin saw\n%s, want\n%s", i, seen, want)
	}
	if sum := resp.Trailer.Get("X-Sum"); sum != fmt.Sprint(len(body), late) {
		t.Errorf("request %d: trailer %q", i, sum)
	}
	if len(resp.Header["Set-Cookie"]) != 2 || resp.Header.Get("X-Cookie") != "c=3; d=4" || resp.Header.Get("Date") == "" {
		t.Errorf("request %d: fields %v", i, resp.Header)
	}
}

// A client over HTTP/2 that gives up ends the exchange with the endpoint at once, whatever
// that speaks.
func TestResetReachesTheEndpoint(t *testing.T) {
	left := make(chan string, 2)
	wait := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		left <- r.Proto
	}
	for proto, e := range map[string]*edge{
		"HTTP/1.1": start(t, Config{}, Listener{}, snap([]string{httpOrigin(t, wait).addr}, nil)),
		"HTTP/2.0": start(t, Config{}, Listener{}, snap([]string{h2cOrigin(t, wait)}, speakH2C)),
	} {
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+e.addr+"/", nil)
		resp, err := priorKnowledge(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
		if got := <-left; got != proto {
			t.Errorf("%s left, not %s", got, proto)
		}
		if fs := e.observed.failures(); len(fs) > 0 {
			t.Errorf("the endpoint is blamed: %v", fs)
		}
	}
}

// h2spec runs its 145 cases of RFC 9113 and RFC 7541 against the listener.
func TestH2Spec(t *testing.T) {
	o := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello, here are some bytes of body")
	})
	e := start(t, Config{}, Listener{HTTP2Only: true}, snap([]string{o.addr}, nil))
	host, port, err := net.SplitHostPort(e.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "-modfile=../tools/go.mod", "h2spec", "-h", host, "-p", port, "-o", "10").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("145 tests, 145 passed, 0 skipped, 0 failed")) {
		if _, failures, found := bytes.Cut(out, []byte("Failures:")); found {
			out = failures
		}
		t.Errorf("h2spec: %v\n%s", err, out)
	}
}

// A connection on which nothing comes back any more, as when a firewall has forgotten it, gets no
// more requests once one was given up; the next ones go over a new one.
func TestHTTP2SilentConnection(t *testing.T) {
	var silent atomic.Bool
	var first atomic.Value
	addr := h2cOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if from, _ := first.Load().(string); silent.Load() && from == r.RemoteAddr {
			<-r.Context().Done()
			return
		}
		first.CompareAndSwap(nil, r.RemoteAddr)
		_, _ = io.WriteString(w, r.RemoteAddr)
	})
	e := start(t, Config{}, Listener{}, snap([]string{addr}, func(u *gateway.EffectiveUpstream, r *gateway.EffectiveRoute) {
		speakH2C(u, r)
		r.Timeout = gateway.Duration(1200 * time.Millisecond)
	}))
	client := priorKnowledge(t)
	for i, want := range []int{200, 504, 200} {
		resp, err := client.Get("http://" + e.addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
		silent.Store(true)
	}
}
