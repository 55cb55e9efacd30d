package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/manifest"
)

// Config is the configuration of the process (sluice.yaml). Every key is optional.
type Config struct {
	// Node names this process in verdicts, logs and status. Default: the host name.
	Node string `yaml:"node"`
	// DataDir holds the embedded store and the administrator's token. Default "./data".
	DataDir   string           `yaml:"dataDir"`
	Listeners []ListenerConfig `yaml:"listeners"`
	Limits    LimitsConfig     `yaml:"limits"`
	Admin     AdminConfig      `yaml:"admin"`
	Ops       OpsConfig        `yaml:"ops"`
	// Agents is where agents of nginx nodes are served. Default: nowhere.
	Agents AgentsConfig `yaml:"agents"`
	Store  StoreConfig  `yaml:"store"`
	// Etcd are the registries that upstreams may name, besides "default", which is the store
	// unless a registry takes that name.
	Etcd []RegistryConfig `yaml:"etcd"`
	// Kubernetes are the clusters that upstreams may name.
	Kubernetes []ClusterConfig `yaml:"kubernetes"`
	// Streams says where the ports of Stream objects are opened.
	Streams StreamsConfig `yaml:"streams"`
	// ShrinkGuard keeps endpoints that a source has lost all at once.
	ShrinkGuard ShrinkGuardConfig `yaml:"shrinkGuard"`
	// FleetCheck says how bundles for nginx nodes are checked before the nodes get them.
	FleetCheck FleetCheckConfig `yaml:"fleetCheck"`
	// DNS are the resolvers that upstreams may name. Default: the name servers of
	// /etc/resolv.conf, as the resolver "default".
	DNS []ResolverConfig `yaml:"dns"`
	// Names gives services names in DNS. Default: none.
	Names *NamesConfig `yaml:"names"`
	// Alerts says who is told when something is wrong. Default: nobody.
	Alerts AlertsConfig `yaml:"alerts"`
	// Objects are files or folders that are applied at start and whenever they change.
	Objects []string `yaml:"objects"`
	// ObjectsOwner names the set of these files among those of all nodes of an etcd cluster.
	// Objects that a set created are deleted when they leave its files, so nodes that are given
	// the same files name the same owner: then any of them deletes. Default: the node's name.
	ObjectsOwner string          `yaml:"objectsOwner"`
	AccessLog    AccessLogConfig `yaml:"accessLog"`
	Log          LogConfig       `yaml:"log"`
	// Shutdown says how long requests in flight may take after SIGTERM. Default 5s.
	Shutdown ShutdownConfig `yaml:"shutdown"`
}

// StreamsConfig says where the ports of Stream objects are opened.
type StreamsConfig struct {
	// Address is an IP address of this machine. Default: all of them.
	Address string `yaml:"address"`
}

// ShrinkGuardConfig says what is taken for a mistake of a source of endpoints.
type ShrinkGuardConfig struct {
	// Percent of an upstream's endpoints that may go in one event. Default 50; 100 switches
	// the guard off.
	Percent *int `yaml:"percent"`
	// Hold is how long those that went are kept at most, while they answer. Default 60s; less
	// where addresses are soon somebody else's.
	Hold *Duration `yaml:"hold"`
}

// longestHold bounds how long lost endpoints are kept without a person who says so.
const longestHold = time.Minute

func (c ShrinkGuardConfig) check(bad func(format string, args ...any)) {
	if p := c.Percent; p != nil && (*p < 1 || *p > 100) {
		bad("shrinkGuard.percent: %d is not between 1 and 100: 50 lets half of an upstream go at once, 100 switches the guard off", *p)
	}
	if h := c.Hold; h != nil && (*h == 0 || h.Std() > longestHold) {
		bad("shrinkGuard.hold: %s is not between 1ms and %s: percent: 100 switches the guard off, and people hold for longer with sluice upstream shrink", *h, longestHold)
	}
}

// apply fills in what the guard needs.
func (c ShrinkGuardConfig) apply(g *control.GuardConfig) {
	if c.Percent != nil {
		g.Percent = *c.Percent
	}
	if c.Hold != nil {
		g.Hold = c.Hold.Std()
	}
}

// ListenerConfig is one address that serves clients with HTTP/1.1.
type ListenerConfig struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"`
	// HTTP2Only is for clients that speak HTTP/2 from the first byte. Without it HTTP/1.1 and
	// HTTP/2 are told apart, by ALPN under TLS and by HTTP/2's preface otherwise.
	HTTP2Only bool `yaml:"http2Only"`
	// TrustedProxies are networks whose X-Forwarded-* fields are believed. Default: none.
	TrustedProxies []string `yaml:"trustedProxies"`
	// ProxyProtocol makes peers name their clients by PROXY headers. Default: none does.
	ProxyProtocol *ProxyProtocolConfig `yaml:"proxyProtocol"`
	Limits        ListenerLimits       `yaml:"limits"`
	// TLS makes it a listener for https; `tls: {}` with the certificates of objects alone.
	// Default: plain HTTP.
	TLS *ListenerTLS `yaml:"tls"`
}

// ListenerTLS is where a listener's certificates come from besides objects of kind
// Certificate, which come first. Files are read again when they change.
type ListenerTLS struct {
	// CertFile and KeyFile are for names that nothing else is good for. Default: such
	// handshakes are refused.
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
	// Certificates are for the names that they hold.
	Certificates []TLSConfig `yaml:"certificates"`
}

// AdminConfig is where the API and the UI listen. Default 127.0.0.1:9080; an address that is
// not loopback needs TLS, since tokens would be readable on the way.
type AdminConfig struct {
	Address string        `yaml:"address"`
	TLS     *TLSConfig    `yaml:"tls"`
	Slardar SlardarConfig `yaml:"slardar"`
}

// TLSConfig names a certificate and its key in PEM files.
type TLSConfig struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// OpsConfig is where health, readiness and metrics are served. Default ":9081".
type OpsConfig struct {
	Address string `yaml:"address"`
}

// StoreConfig chooses the store. Default: an embedded etcd in the data directory.
type StoreConfig struct {
	Etcd *EtcdConfig `yaml:"etcd"`
}

// EtcdConfig connects to an etcd cluster.
type EtcdConfig struct {
	Endpoints    []string `yaml:"endpoints"`
	CAFile       string   `yaml:"caFile"`
	CertFile     string   `yaml:"certFile"`
	KeyFile      string   `yaml:"keyFile"`
	Username     string   `yaml:"username"`
	PasswordFile string   `yaml:"passwordFile"`
}

// RegistryConfig is one etcd that instances register in, on a connection of its own.
type RegistryConfig struct {
	Name       string `yaml:"name"`
	EtcdConfig `yaml:",inline"`
	// Prefixes are what upstreams may follow there, such as /services/. Default: all of it.
	Prefixes []string `yaml:"prefixes"`
}

// ClusterConfig is one Kubernetes cluster to watch.
type ClusterConfig struct {
	Name string `yaml:"name"`
	// Server, CAFile and TokenFile reach the cluster by a token that someone else renews.
	Server    string `yaml:"server"`
	CAFile    string `yaml:"caFile"`
	TokenFile string `yaml:"tokenFile"`
	// Stall is how long a watch may say nothing before it is renewed. Default 3m.
	Stall Duration `yaml:"stall"`
	// Resync is how often everything is listed anew. Default 30m.
	Resync Duration `yaml:"resync"`
	// Kubeconfig is a file whose current context is used, InCluster the pod's own account.
	Kubeconfig string `yaml:"kubeconfig"`
	InCluster  bool   `yaml:"inCluster"`
	// Ingress makes upstreams, routes and certificates of the cluster's Ingresses, and of its
	// Services that are annotated with a host. Default: endpoints alone are followed.
	Ingress *IngressConfig `yaml:"ingress"`
}

// AccessLogConfig writes one JSON line per request. Path "-" is standard output; empty, the
// default, switches it off.
type AccessLogConfig struct {
	Path string `yaml:"path"`
}

// LogConfig says how much is logged to standard error, and how. Default level "info" (debug,
// info, warn, error), format "text" (or json).
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// ShutdownConfig bounds how long requests in flight may take after a signal.
type ShutdownConfig struct {
	Grace Duration `yaml:"grace"`
}

// Duration reads "5s" from YAML.
type Duration = gateway.Duration

// overrides are the variables that overlay sluice.yaml, beside SLUICE_ADMIN_TOKEN.
func (c *Config) overrides() map[string]*string {
	return map[string]*string{
		"SLUICE_NODE":           &c.Node,
		"SLUICE_DATA_DIR":       &c.DataDir,
		"SLUICE_ADMIN_ADDRESS":  &c.Admin.Address,
		"SLUICE_OPS_ADDRESS":    &c.Ops.Address,
		"SLUICE_AGENTS_ADDRESS": &c.Agents.Address,
		"SLUICE_LOG_LEVEL":      &c.Log.Level,
		"SLUICE_LOG_FORMAT":     &c.Log.Format,
		"SLUICE_ACCESS_LOG":     &c.AccessLog.Path,
	}
}

// readConfig reads path (empty: nothing), overlays the environment, fills in defaults and
// checks. Errors name file, line and column.
func readConfig(path string, getenv func(string) string) (Config, error) {
	var c Config
	file := new(manifest.Document)
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("read the configuration: %w", err)
		}
		if file, err = manifest.ReadValue(path, text, &c); err != nil {
			return c, err
		}
	}
	for name, field := range c.overrides() {
		*field = cmp.Or(getenv(name), *field)
	}
	c.defaults()
	if errs := c.check(); len(errs) > 0 {
		for i, err := range errs {
			errs[i] = errors.New(file.At(err.Error()))
		}
		return c, errors.Join(errs...)
	}
	return c, nil
}

func (c *Config) defaults() {
	host, err := os.Hostname()
	if err != nil {
		host = "sluice"
	}
	c.Node = cmp.Or(c.Node, host)
	c.DataDir = cmp.Or(c.DataDir, "./data")
	c.Admin.Address = cmp.Or(c.Admin.Address, "127.0.0.1:9080")
	c.Ops.Address = cmp.Or(c.Ops.Address, ":9081")
	c.Log.Level = cmp.Or(c.Log.Level, "info")
	c.Log.Format = cmp.Or(c.Log.Format, "text")
	c.Shutdown.Grace = cmp.Or(c.Shutdown.Grace, Duration(5e9))
	if len(c.Listeners) == 0 {
		c.Listeners = []ListenerConfig{{Name: "http", Address: ":8080"}}
	}
}

// check reports everything that is wrong at once. Each error begins with the path of the value.
func (c *Config) check() []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c.checkListeners(bad)
	c.ShrinkGuard.check(bad)
	c.FleetCheck.check(bad)
	c.Streams.check(bad)
	if err := checkListen(c.Admin.Address); err != nil {
		bad("admin.address: %w", err)
	} else if c.Admin.TLS == nil && !loopback(c.Admin.Address) {
		bad("admin.address: %s can be reached from other machines, which needs admin.tls: {certFile: …, keyFile: …}; or listen on 127.0.0.1", c.Admin.Address)
	}
	if err := checkListen(c.Ops.Address); err != nil {
		bad("ops.address: %w", err)
	}
	c.Agents.check(bad)
	if e := c.Store.Etcd; e != nil && len(e.Endpoints) == 0 {
		bad("store.etcd.endpoints: name at least one endpoint, such as https://10.0.0.1:2379")
	}
	registries := map[string]bool{}
	for i, r := range c.Etcd {
		if r.Name == "" || registries[r.Name] {
			bad("etcd[%d].name: %q is empty or used twice: give each registry a name of its own", i, r.Name)
		}
		registries[r.Name] = true
		r.check(func(key, format string, args ...any) { bad("etcd[%d]."+key+": "+format, append([]any{i}, args...)...) })
	}
	clusters := map[string]bool{}
	for i, k := range c.Kubernetes {
		if k.Name == "" || clusters[k.Name] {
			bad("kubernetes[%d].name: %q is empty or used twice", i, k.Name)
		}
		clusters[k.Name] = true
		if err := k.check(); err != nil {
			bad("kubernetes[%d]: %w", i, err)
		}
		k.checkIngress(func(key, format string, args ...any) {
			bad("kubernetes[%d]."+key+": "+format, append([]any{i}, args...)...)
		})
	}
	checkResolvers(c.DNS, bad)
	c.Names.check(bad)
	c.Alerts.check(bad)
	if _, err := logLevel(c.Log.Level); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format: %q is not text or json", c.Log.Format)
	}
	return errs
}

// checkListeners reports what is wrong with the addresses where requests come in.
func (c *Config) checkListeners(bad func(format string, args ...any)) {
	names := map[string]bool{}
	for i, l := range c.Listeners {
		if l.Name == "" || names[l.Name] {
			bad("listeners[%d].name: %q is empty or used twice: give each listener a name of its own", i, l.Name)
		}
		names[l.Name] = true
		if err := checkListen(l.Address); err != nil {
			bad("listeners[%d].address: %w", i, err)
		}
		if _, err := prefixes(l.TrustedProxies); err != nil {
			bad("listeners[%d].trustedProxies: %w", i, err)
		}
		for _, where := range l.TLS.incomplete() {
			bad("listeners[%d].tls%s: certFile and keyFile belong together: give both", i, where)
		}
		l.checkLimits(func(key, format string, args ...any) {
			bad("listeners[%d]."+key+": "+format, append([]any{i}, args...)...)
		})
	}
}

func (c StreamsConfig) check(bad func(format string, args ...any)) {
	if c.Address == "" {
		return
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		bad("streams.address: %q is not an IP address of this machine, such as 10.0.0.1: ports stand in Stream objects", c.Address)
	}
}

// incomplete names the pairs of files of which one is missing.
func (t *ListenerTLS) incomplete() (where []string) {
	if t == nil {
		return nil
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		where = append(where, "")
	}
	for i, c := range t.Certificates {
		if c.CertFile == "" || c.KeyFile == "" {
			where = append(where, fmt.Sprintf(".certificates[%d]", i))
		}
	}
	return where
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil && port != "" {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		return fmt.Errorf("%q is not an address to listen on: write :8080 or 127.0.0.1:8080", address)
	}
	return nil
}

func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network: write 10.0.0.0/8, or 10.1.2.3/32 for one address", s)
		}
		out = append(out, p)
	}
	return out, nil
}

func logLevel(s string) (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return l, fmt.Errorf("log.level: %q is not debug, info, warn or error", s)
	}
	return l, nil
}

func newLogger(c LogConfig, w io.Writer) *slog.Logger {
	level, err := logLevel(c.Level)
	if err != nil {
		level = slog.LevelInfo
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
