package controller

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// quieter stands before a real API server. While it is mute, what it has to say gets stuck for
// good, and no connection closes.
type quieter struct {
	proxy      *httputil.ReverseProxy
	kubeconfig string
	mute       atomic.Bool
}

func newQuieter(t *testing.T, kubeconfig string) *quieter {
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
	q := &quieter{proxy: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: transport, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	server := httptest.NewServer(q)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if c, ok := transport.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	})
	q.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n", server.URL)
	if err := os.WriteFile(q.kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return q
}

func (q *quieter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.proxy.ServeHTTP(&muted{w, q, r}, r)
}

// muted is an answer that gets stuck when it has something to say while its quieter is mute.
type muted struct {
	http.ResponseWriter
	q *quieter
	r *http.Request
}

func (m *muted) Write(p []byte) (int, error) {
	if m.q.mute.Load() {
		<-m.r.Context().Done()
		return 0, m.r.Context().Err()
	}
	return m.ResponseWriter.Write(p)
}

func (m *muted) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// Watches that are open and say nothing are given up and told of; what they missed is there
// once the server speaks again.
func silentWatches(t *testing.T, c *kubetest.Cluster, account string) {
	f, q := beforeTheSilence(t, c, "silent", kubernetes.Config{Kubeconfig: account, Stall: 2 * time.Second})
	until(t, "told", func() error {
		for _, p := range f.Problems() {
			if p.Code == "cluster_lost" && strings.Contains(p.Message, "said nothing for 2s") {
				return nil
			}
		}
		return fmt.Errorf("problems %+v", f.Problems())
	})
	q.mute.Store(false)
	f.expect("silent", "Route a, Route b, Upstream api.80")
	until(t, "no problem", func() error {
		for _, p := range f.Problems() {
			if p.Code == "cluster_lost" {
				return fmt.Errorf("%+v", p)
			}
		}
		return nil
	})
}

// What a watch lost on its way is found when everything is listed anew.
func lostEvent(t *testing.T, c *kubetest.Cluster, account string) {
	f, q := beforeTheSilence(t, c, "lossy", kubernetes.Config{Kubeconfig: account, Stall: time.Hour, Resync: 3 * time.Second})
	q.mute.Store(false)
	f.expect("lossy", "Route a, Route b, Upstream api.80")
}

// beforeTheSilence follows a cluster that has told of one Ingress and is mute about another.
func beforeTheSilence(t *testing.T, c *kubetest.Cluster, namespace string, cfg kubernetes.Config) (*followed, *quieter) {
	c.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + namespace + ", labels: {sluice.io/tenant: acme}}")
	c.Create(serviceYAML(namespace, "api"))
	c.Create(ingressYAML(namespace, "a", "/"+namespace+"-a", "api"))
	q := newQuieter(t, cfg.Kubeconfig)
	cfg.Name, cfg.Kubeconfig = "test", q.kubeconfig
	f := followWith(t, cfg)
	f.expect(namespace, "Route a, Upstream api.80")
	q.mute.Store(true)
	c.Create(ingressYAML(namespace, "b", "/"+namespace+"-b", "api"))
	time.Sleep(200 * time.Millisecond)
	if got := f.names(namespace); got != "Route a, Upstream api.80" {
		t.Errorf("%s got through to a watch that is mute", got)
	}
	t.Cleanup(func() { c.Delete("/apis/networking.k8s.io/v1/namespaces/" + namespace + "/ingresses") })
	return f, q
}
