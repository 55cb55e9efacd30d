package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-gateway/sluice/gateway"
)

// httpServer is a net/http server for people and monitoring; clients are served by proxy.
type httpServer struct {
	name string
	ln   net.Listener
	tls  *TLSConfig
	srv  *http.Server
	now  atomic.Pointer[http.Handler]
}

func newHTTPServer(name, address string, tls *TLSConfig) (*httpServer, error) {
	ln, err := listenOn(name, address)
	if err != nil {
		return nil, err
	}
	s := &httpServer{name: name, ln: ln, tls: tls}
	s.srv = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	return s, nil
}

// listenOn listens, and says in plain words when the address is taken.
func listenOn(name, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: address %s is in use by another process: stop that one (ss -ltnp shows it) or configure another address", name, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: no permission to listen on %s: ports below 1024 need CAP_NET_BIND_SERVICE", name, address)
	case err != nil:
		return nil, fmt.Errorf("%s: listen on %s: %w", name, address, err)
	}
	return ln, nil
}

// bodyTimeout bounds how long a request's body may take to come. Answers are not bounded:
// event streams and long polls take their time.
const bodyTimeout = time.Minute

// handle has requests answered by h from now on. It is called before serve, and later when there
// is more to answer with.
func (s *httpServer) handle(h http.Handler) { s.now.Store(&h) }

func (s *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		// It fails only for a connection that is gone, which reading will tell.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	(*s.now.Load()).ServeHTTP(w, r)
}

func (s *httpServer) url() string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + s.ln.Addr().String()
}

func (s *httpServer) serve() error {
	var err error
	if s.tls != nil {
		s.srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.tls.newest()}
		_, err = s.srv.TLSConfig.GetCertificate(nil)
	}
	switch {
	case err != nil:
	case s.srv.TLSConfig != nil:
		err = s.srv.ServeTLS(s.ln, "", "")
	default:
		err = s.srv.Serve(s.ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.name, err)
}

// newest gives the certificate as it stands in the files when a connection is opened, since it is
// renewed there, or the last one that could be used.
func (c *TLSConfig) newest() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var last atomic.Pointer[tls.Certificate]
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err == nil {
			last.Store(&pair)
		}
		if usable := last.Load(); usable != nil {
			return usable, nil
		}
		return nil, err
	}
}

func (s *httpServer) shutdown(ctx context.Context) {
	if s.srv.Shutdown(ctx) != nil {
		_ = s.srv.Close()
	}
}

// readiness tells load balancers whether to send requests here.
type readiness struct {
	gen       atomic.Uint64
	digest    atomic.Pointer[string]
	swapNanos atomic.Int64
	state     atomic.Int32 // 0 starting, 1 ready, 2 ending
	once      sync.Once
	complete  chan struct{} // closed when ready for the first time
}

func (r *readiness) served(s *gateway.Snapshot, took time.Duration) {
	r.swapNanos.Store(int64(took))
	r.digest.Store(&s.Digest)
	r.gen.Store(s.Generation)
}

func (r *readiness) generation() uint64 { return r.gen.Load() }

func (r *readiness) begin() {
	if r.state.CompareAndSwap(0, 1) {
		r.once.Do(func() { close(r.complete) })
	}
}

func (r *readiness) end() { r.state.Store(2) }

func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	switch r.state.Load() {
	case 0:
		http.Error(w, "starting: waiting for the first snapshot and the first answer of every source", http.StatusServiceUnavailable)
	case 1:
		_, _ = fmt.Fprintln(w, "ready")
	default:
		http.Error(w, "ending: requests in flight are finished, new ones belong elsewhere", http.StatusServiceUnavailable)
	}
}

// serveOps prepares health, readiness, metrics and profiles.
func (a *App) serveOps() error {
	a.metrics = prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{a.proxy, a.health, a.sources, a.guard, a.fleets, a.alerts, &a.ready, awayMetric{a}, expiryMetric{a}, checkMetric{a},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := a.metrics.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", &a.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	for path, h := range map[string]http.HandlerFunc{"/": pprof.Index, "/cmdline": pprof.Cmdline, "/profile": pprof.Profile, "/symbol": pprof.Symbol, "/trace": pprof.Trace} {
		mux.Handle("/debug/pprof"+path, localOnly(h))
	}
	a.ops.handle(mux)
	return nil
}

// localOnly keeps profiles, which show memory, to callers on the same machine.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ap, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !ap.Addr().Unmap().IsLoopback() {
			http.Error(w, "profiles are for callers on this machine", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

var (
	generationDesc = prometheus.NewDesc("sluice_snapshot_generation", "Number of the snapshot in service.", nil, nil)
	infoDesc       = prometheus.NewDesc("sluice_snapshot_info", "Digest of the snapshot in service.", []string{"digest"}, nil)
	swapDesc       = prometheus.NewDesc("sluice_swap_seconds", "How long the proxy took to take over the snapshot in service.", nil, nil)
)

// Describe implements prometheus.Collector.
func (r *readiness) Describe(ch chan<- *prometheus.Desc) {
	ch <- generationDesc
	ch <- infoDesc
	ch <- swapDesc
}

// Collect implements prometheus.Collector.
func (r *readiness) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(generationDesc, prometheus.GaugeValue, float64(r.gen.Load()))
	ch <- prometheus.MustNewConstMetric(swapDesc, prometheus.GaugeValue, time.Duration(r.swapNanos.Load()).Seconds())
	if d := r.digest.Load(); d != nil {
		ch <- prometheus.MustNewConstMetric(infoDesc, prometheus.GaugeValue, 1, *d)
	}
}
