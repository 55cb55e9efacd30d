package kubernetes

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// gate stands between a source and a real API server. It can be shut, can play an old
// server, can spoil the token, and can fall silent without closing anything.
type gate struct {
	t          *testing.T
	kubeconfig string // of the gate
	address    string
	proxy      *httputil.ReverseProxy

	old     atomic.Bool // refuse watch-lists
	refused atomic.Int64
	token   atomic.Value // string; "" leaves the right one
	mute    atomic.Bool  // answers that have something to say now get stuck for good
	watches atomic.Int64

	mu     sync.Mutex
	server *http.Server // nil while shut
	done   chan struct{}
}

func newGate(t *testing.T, kubeconfig string) *gate {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext // a transport of our own
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t}
	g.token.Store("")
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if token := g.token.Load().(string); token != "" {
				r.Out.Header.Set("Authorization", "Bearer "+token)
			}
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	g.listen("127.0.0.1:0")
	g.kubeconfig = writeKubeconfig(t, "http://"+g.address)
	t.Cleanup(func() {
		g.shut()
		if c, ok := transport.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	})
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.old.Load() && r.URL.Query().Get("sendInitialEvents") != "" {
		g.refused.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,`+
			`"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}`)
		return
	}
	if r.URL.Query().Get("watch") != "" {
		g.watches.Add(1)
	}
	g.proxy.ServeHTTP(&mutable{w, g, r}, r)
}

// mutable is an answer that gets stuck when it has something to say while the gate is mute.
type mutable struct {
	http.ResponseWriter
	g *gate
	r *http.Request
}

func (m *mutable) Write(p []byte) (int, error) {
	if m.g.mute.Load() {
		<-m.r.Context().Done()
		return 0, m.r.Context().Err()
	}
	return m.ResponseWriter.Write(p)
}

func (m *mutable) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (g *gate) listen(address string) {
	g.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.address = l.Addr().String()
	g.server, g.done = &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}, make(chan struct{})
	server, done := g.server, g.done
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
}

// shut closes every connection and the listener.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server == nil {
		return
	}
	_ = g.server.Close()
	<-g.done
	g.server = nil
}

// open listens again at the same address.
func (g *gate) open() {
	g.t.Helper()
	g.listen(g.address)
}

// writeKubeconfig writes a kubeconfig for a server, without a token: a gate adds it.
func writeKubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
