package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/admin"
	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/alert"
	"github.com/sluice-gateway/sluice/configsync"
	"github.com/sluice-gateway/sluice/configsync/enrol"
	"github.com/sluice-gateway/sluice/configsync/sandbox"
	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/etcd"
	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/manual"
	"github.com/sluice-gateway/sluice/discovery/names"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/health"
	"github.com/sluice-gateway/sluice/proxy"
	"github.com/sluice-gateway/sluice/proxy/certs"
	"github.com/sluice-gateway/sluice/store"
	webadmin "github.com/sluice-gateway/sluice/web-admin"
)

// sourcesGrace is how long a start waits for sources before it calls itself ready: a
// cluster that cannot be reached must not keep the others' routes from being served.
const sourcesGrace = 10 * time.Second

// copyGrace is the same for a node that has a local copy: what it served before is better than
// nothing.
const copyGrace = 1500 * time.Millisecond

// App is one process of `sluice serve`: edge and control plane together.
type App struct {
	cfg     Config
	log     *slog.Logger
	started time.Time

	store   *store.Store
	loop    *control.Loop
	guard   *control.Guard
	sources *discovery.Manager
	ingress ingresses
	router  *names.Router // nil: names have no routes
	names   *names.Keeper // nil: none are announced; made with the store
	health  *health.Health
	alerts  *alert.Alerts
	observe *health.Observers
	logged  *fleetEvidence
	proxy   *proxy.Proxy
	fleets  *configsync.Controller

	authority *enrol.Authority // of the agents' certificates; made with the store, nil where agents are not served

	sandbox *sandbox.Sandbox // nil: the nodes alone check their bundles
	objects *objectFiles
	metrics *prometheus.Registry
	version configVersion
	access  io.Closer

	notice  io.Writer
	kept    control.Copy   // that the start begins with
	copied  time.Time      // when it was written; zero: there was none
	stored  chan struct{}  // closed when the store is there
	opening <-chan opening // an attempt that is under way

	edges  []edge
	admin  *httpServer
	ops    *httpServer
	agents *httpServer // nil: agents are not served
	ready  readiness
	ending chan struct{} // closed when shutting down begins
}

// edge is one listener of the proxy.
type edge struct {
	ln    net.Listener
	cfg   proxy.Listener
	files *certs.Files // nil: none
}

// NewApp opens everything that can fail: sockets, store, tokens, objects. The caller calls
// Run, or Close when it does not.
func NewApp(ctx context.Context, cfg Config, log *slog.Logger, notice io.Writer) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, started: time.Now(), ending: make(chan struct{}), ready: readiness{complete: make(chan struct{})},
		stored: make(chan struct{}), notice: notice}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.listen(); err != nil {
		return nil, err
	}
	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	a.loop = control.New(control.Config{Static: manual.Sets, Between: giveWay, Log: log})
	guard := control.GuardConfig{Out: a.loop.SetEndpoints, Log: log}
	cfg.ShrinkGuard.apply(&guard)
	a.guard = control.NewGuard(guard)
	a.loop.Restore(a.kept)
	a.guard.Restore(a.kept.Sets)
	a.kept = control.Copy{}
	if a.sources, err = a.newSources(); err != nil {
		return nil, err
	}
	if a.router, err = a.newNameRouter(); err != nil {
		return nil, err
	}
	if a.ingress, err = a.newIngresses(); err != nil {
		return nil, err
	}
	evidence := health.Config{Node: cfg.Node, Report: a.judged, Log: log}
	evidence.Archive, evidence.Earlier = openLedger(cfg.DataDir, log)
	a.health = health.New(evidence)
	a.observe = health.NewObservers(health.ObserversConfig{Node: cfg.Node, Health: a.health, Agreed: a.agreed, Log: log})
	access, err := a.openAccessLog()
	if err != nil {
		return nil, err
	}
	data := proxy.Config{Observer: a.health, Log: log, AccessLog: access, StreamHost: cfg.Streams.Address}
	cfg.Limits.apply(&data)
	a.proxy = proxy.New(data)
	a.logged = newFleetEvidence(func() { a.fleets.Refresh() }, log)
	fleets := configsync.Config{View: a.fleetView, Observe: a.logged.Observe, Signer: voucher{a}, Numberer: voucher{a},
		Rollouts: rolloutStore{a}, Reverts: revertStore{a}, Author: a.author, Version: version, Log: log}
	a.sandbox = cfg.FleetCheck.apply(&fleets, cfg.DataDir)
	a.fleets = configsync.New(fleets)
	if a.alerts, err = a.newAlerts(); err != nil {
		return nil, err
	}
	a.objects = &objectFiles{paths: cfg.Objects, store: a.store, log: log, owner: cmp.Or(cfg.ObjectsOwner, cfg.Node), alone: cfg.Store.Etcd == nil}
	if err := a.serveOps(); err != nil {
		return nil, err
	}
	if a.away() {
		return a, a.serveAway()
	}
	if err := a.objects.apply(ctx); err != nil {
		return nil, err
	}
	return a, a.takeStore()
}

// listen takes all addresses first, so that an occupied one is the first thing that a start
// complains about.
func (a *App) listen() error {
	for _, l := range a.cfg.Listeners {
		ln, err := listenOn("listener "+l.Name, l.Address)
		if err != nil {
			return err
		}
		cfg, err := l.proxyListener()
		if err != nil {
			_ = ln.Close()
			return err
		}
		cfg.HTTP2Only = l.HTTP2Only
		e := edge{ln: ln, cfg: cfg}
		if err := e.secure(l.TLS, a.log); err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		a.edges = append(a.edges, e)
	}
	var err error
	if a.admin, err = newHTTPServer("admin", a.cfg.Admin.Address, a.cfg.Admin.TLS); err != nil {
		return err
	}
	if a.ops, err = newHTTPServer("ops", a.cfg.Ops.Address, nil); err != nil {
		return err
	}
	return a.listenAgents()
}

func (c Config) storeConfig(log *slog.Logger) store.Config {
	out := store.Config{DataDir: c.DataDir, Before: giveWay, Log: log}
	if e := c.Store.Etcd; e != nil {
		out.Etcd = &store.EtcdConfig{Endpoints: e.Endpoints, CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile,
			Username: e.Username, PasswordFile: e.PasswordFile}
	}
	return out
}

func (a *App) newSources() (*discovery.Manager, error) {
	sources := map[string]discovery.Source{
		"etcd/default": &lateSource{name: "etcd/default", ready: a.stored, build: func() discovery.Source {
			return etcd.New(etcd.Config{Client: a.store.Client(), Reserved: []string{"/sluice/"}, Log: a.log})
		}},
	}
	for _, r := range a.cfg.Etcd {
		cfg := r.source()
		cfg.Log = a.log
		sources["etcd/"+r.Name] = etcd.New(cfg)
	}
	for _, k := range a.cfg.Kubernetes {
		cfg := k.source()
		cfg.Log = a.log
		s, err := kubernetes.New(cfg)
		if err != nil {
			return nil, err
		}
		sources["kubernetes/"+k.Name] = s
	}
	addResolvers(sources, a.cfg.DNS, a.log)
	return discovery.New(discovery.Config{Sources: sources, Out: a.guard.SetEndpoints, Others: a.ingressStatus, Copied: a.copied, Log: a.log}), nil
}

func (a *App) openAccessLog() (io.Writer, error) {
	switch path := a.cfg.AccessLog.Path; path {
	case "":
		return nil, nil
	case "-":
		return os.Stdout, nil
	default:
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, fmt.Errorf("open the access log: %w", err)
		}
		a.access = f
		return f, nil
	}
}

// serveAdmin answers at the admin address with parts, completed with those that do not depend on
// the store. more are sources of problems.
func (a *App) serveAdmin(parts admin.Config, more ...func() []gateway.Problem) error {
	secret := os.Getenv("SLUICE_ADMIN_TOKEN")
	if secret == "" {
		var created bool
		var err error
		if secret, created, err = auth.LoadOrCreate(a.cfg.DataDir); err != nil {
			return err
		}
		if created {
			_, _ = fmt.Fprintf(a.notice, "sluice: the administrator's token is in %s\n", filepath.Join(a.cfg.DataDir, auth.FileName))
		}
	}
	tokens, err := auth.NewTokens("admin", secret)
	if err != nil {
		return err
	}
	more = append(more, a.sources.Problems, a.objects.Problems, a.certificateProblems, a.loop.DerivedProblems, a.ingress.Problems, a.guard.Problems, a.health.Problems, a.alertProblems, a.proxy.StreamProblems)
	parts.Control, parts.Fleets, parts.Tokens = a.loop, adminFleets{a.fleets, more}, tokens
	parts.Sources, parts.Shrink, parts.Listeners, parts.Health = sourceStatus(a.sources), a.guard, a.listenerStatus, observed{a}
	parts.Alerts, parts.Enrolment, parts.FleetCheck = a.alerts, enrolment{a}, a.fleetCheck
	parts.Normalise, parts.UI = normalise, webadmin.Dist
	parts.Version, parts.Node, parts.StartedAt = version, a.cfg.Node, a.started
	parts.Log, parts.Slardar = a.log, a.slardarParts()
	handler, err := admin.New(parts)
	if err != nil {
		return err
	}
	a.admin.handle(handler)
	return nil
}

func (a *App) listenerStatus() []api.ListenerStatus {
	out := []api.ListenerStatus{}
	for _, e := range a.edges {
		out = append(out, api.ListenerStatus{Name: e.cfg.Name, Address: e.ln.Addr().String(), Tls: e.cfg.TLS != nil})
	}
	if a.agents != nil {
		out = append(out, api.ListenerStatus{Name: a.agents.name, Address: a.agents.ln.Addr().String(), Tls: true, Agents: true})
	}
	return out
}
