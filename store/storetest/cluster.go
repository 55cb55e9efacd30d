package storetest

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// readyTimeout is generous: the machine may be busy with other tests.
const readyTimeout = 60 * time.Second

// Options of StartCluster.
type Options struct {
	// TLS makes clients need the certificates of Cluster.CAFile, CertFile and KeyFile.
	TLS bool
	// Members is the number of servers. Default 3.
	Members int
	// QuotaBytes bounds each member's database. Default: etcd's own.
	QuotaBytes int64
	// TokenSeconds is after how long a token lapses that nobody shows. Default: etcd's own.
	TokenSeconds uint
}

// Cluster is a running etcd cluster.
type Cluster struct {
	Members []*embed.Etcd // nil after Kill
	// Endpoints are the client addresses of all members, dead ones included.
	Endpoints []string
	// CAFile, CertFile and KeyFile are what a client of a TLS cluster needs.
	CAFile, CertFile, KeyFile string

	options   Options
	addresses []address
	initial   string // etcd's --initial-cluster
	// username and password log in as root; empty before RequirePassword.
	username, password string
	passwordFile       string // of UserName
}

// UserName is who Cluster.Config logs in as after Cluster.RequirePassword, with UserPassword.
const (
	UserName     = "sluice"
	UserPassword = "s3cret"
)

type address struct {
	dir          string
	peer, client url.URL
}

// StartCluster starts the members, waits until they have a leader, and stops them at the
// end of the test.
func StartCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Members == 0 {
		o.Members = 3
	}
	c := &Cluster{options: o}
	if o.TLS {
		c.CAFile, c.CertFile, c.KeyFile = writeCertificates(t)
	}
	t.Cleanup(c.stop)
	for attempt := 1; ; attempt++ {
		err := c.start(t)
		if err == nil {
			break
		}
		c.stop()
		if attempt == 5 { // someone else may take a port between choosing and listening
			t.Fatal(err)
		}
	}
	c.await(t, c.Members...)
	return c
}

// start chooses addresses and starts every member.
func (c *Cluster) start(t testing.TB) error {
	scheme := "http"
	if c.options.TLS {
		scheme = "https"
	}
	c.addresses, c.Endpoints, c.initial = nil, nil, ""
	for i := range c.options.Members {
		a := address{dir: t.TempDir(), peer: urlAt(t, "http"), client: urlAt(t, scheme)}
		c.addresses = append(c.addresses, a)
		c.Endpoints = append(c.Endpoints, a.client.String())
		c.initial += fmt.Sprintf(",m%d=%s", i+1, &a.peer)
	}
	c.initial = c.initial[1:]
	for i := range c.addresses {
		e, err := embed.StartEtcd(c.config(i))
		if err != nil {
			return fmt.Errorf("start etcd member %d: %w", i+1, err)
		}
		c.Members = append(c.Members, e)
	}
	return nil
}

// await returns when the members know a leader.
func (c *Cluster) await(t testing.TB, members ...*embed.Etcd) {
	t.Helper()
	deadline := time.After(readyTimeout)
	for _, e := range members {
		select {
		case <-e.Server.ReadyNotify():
		case err := <-e.Err():
			t.Fatalf("etcd member: %v", err)
		case <-deadline:
			t.Fatalf("the etcd cluster has no leader after %s", readyTimeout)
		}
	}
}

func (c *Cluster) config(i int) *embed.Config {
	a := c.addresses[i]
	conf := embed.NewConfig()
	conf.Name = fmt.Sprintf("m%d", i+1)
	conf.Dir = a.dir
	conf.InitialCluster = c.initial
	conf.ListenPeerUrls, conf.AdvertisePeerUrls = []url.URL{a.peer}, []url.URL{a.peer}
	conf.ListenClientUrls, conf.AdvertiseClientUrls = []url.URL{a.client}, []url.URL{a.client}
	if c.options.TLS {
		conf.ClientTLSInfo = transport.TLSInfo{CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile, ClientCertAuth: true}
	}
	conf.QuotaBackendBytes = c.options.QuotaBytes
	conf.AuthTokenTTL = cmp.Or(c.options.TokenSeconds, conf.AuthTokenTTL)
	conf.UnsafeNoFsync = true
	conf.EnableGRPCGateway = false
	conf.TickMs, conf.ElectionMs = 50, 500
	conf.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	return conf
}

// Restart starts killed members again, on their data, and waits until they have a leader.
func (c *Cluster) Restart(t testing.TB, members ...int) {
	t.Helper()
	var started []*embed.Etcd
	for _, i := range members {
		e, err := embed.StartEtcd(c.config(i))
		if err != nil {
			t.Fatalf("restart etcd member %d: %v", i+1, err)
		}
		c.Members[i] = e
		started = append(started, e)
	}
	c.await(t, started...)
}

// urlAt is a loopback address of a member. etcd has to know the ports of all members before the
// first one starts, so it cannot choose them itself.
func urlAt(t testing.TB, scheme string) url.URL {
	t.Helper()
	return url.URL{Scheme: scheme, Host: freeport.Address(t)}
}

// Config is a store configuration for the cluster.
func (c *Cluster) Config() store.Config {
	e := &store.EtcdConfig{
		Endpoints: c.Endpoints, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		DialTimeout: readyTimeout,
	}
	if c.passwordFile != "" {
		e.Username, e.PasswordFile = UserName, c.passwordFile
	}
	return store.Config{Etcd: e}
}

// RequirePassword switches authentication on. From then on Client is root, and Config logs in
// as UserName, who may read and write keys below the prefixes.
func (c *Cluster) RequirePassword(t testing.TB, prefixes ...string) {
	t.Helper()
	ctx, client := t.Context(), c.Client(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.RoleAdd(ctx, "root"))
	must(client.UserAdd(ctx, "root", "toor"))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.RoleAdd(ctx, UserName))
	for _, p := range prefixes {
		must(client.RoleGrantPermission(ctx, UserName, p, clientv3.GetPrefixRangeEnd(p), clientv3.PermissionType(clientv3.PermReadWrite)))
	}
	must(client.UserAdd(ctx, UserName, UserPassword))
	must(client.UserGrantRole(ctx, UserName, UserName))
	must(client.AuthEnable(ctx))
	c.username, c.password = "root", "toor"
	c.passwordFile = filepath.Join(t.TempDir(), "password")
	c.WritePassword(t, UserPassword)
}

// WritePassword changes what the password file of Config holds, and nothing in the cluster.
func (c *Cluster) WritePassword(t testing.TB, password string) {
	t.Helper()
	if err := os.WriteFile(c.passwordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Leader is the index of the member that leads, or -1 when none does right now.
func (c *Cluster) Leader() int {
	for i, e := range c.Members {
		if e != nil && e.Server.Leader() == e.Server.MemberID() {
			return i
		}
	}
	return -1
}

// Kill stops a member without a word to its clients.
func (c *Cluster) Kill(i int) {
	e := c.Members[i]
	c.Members[i] = nil
	e.Server.HardStop()
	e.Close()
}

// Client is a plain etcd client, for what the store does not do, such as users and roles.
func (c *Cluster) Client(t testing.TB) *clientv3.Client {
	t.Helper()
	var conf *tls.Config
	if c.CAFile != "" {
		var err error
		info := transport.TLSInfo{CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile}
		if conf, err = info.ClientConfig(); err != nil {
			t.Fatal(err)
		}
	}
	cl, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints, TLS: conf, Username: c.username, Password: c.password, DialTimeout: readyTimeout, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close() }) // always "context canceled"
	return cl
}

func (c *Cluster) stop() {
	for _, e := range c.Members {
		if e != nil {
			e.Close()
		}
	}
	c.Members = nil
}

// Keep copies the data of a killed member, as a backup does, for Restore.
func (c *Cluster) Keep(t testing.TB, i int) (kept string) {
	t.Helper()
	kept = t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(c.addresses[i].dir)); err != nil {
		t.Fatal(err)
	}
	return kept
}

// Restore gives a killed member the data that Keep has kept.
func (c *Cluster) Restore(i int, kept string) { c.addresses[i].dir = kept }
