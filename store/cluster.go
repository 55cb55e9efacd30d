package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"
)

const (
	keepAliveTime    = 10 * time.Second // a silent connection is asked after this long
	keepAliveTimeout = 5 * time.Second  // and given up after this much longer
	probeTimeout     = 2 * time.Second
)

// reconnect is how often a member that is away is tried: gRPC's own pause grows to two minutes.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 3 * time.Second,
})

// cluster is an etcd that other processes run.
type cluster struct {
	client *clientv3.Client
	cfg    EtcdConfig
	tls    *tls.Config
}

// connectCluster returns when the cluster has answered a read that needs a quorum, or with
// an error that tells what is wrong with each endpoint.
func connectCluster(ctx context.Context, cfg Config, g *gate) (*cluster, error) {
	e := *cfg.Etcd
	tlsConfig, err := e.tls()
	if err != nil {
		return nil, err
	}
	password, err := e.password()
	if err != nil {
		return nil, err
	}
	conf := clientv3.Config{
		Endpoints: e.Endpoints, TLS: tlsConfig, Username: e.Username, Password: password,
		DialTimeout: e.DialTimeout, DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
		PermitWithoutStream: true, // an idle edge notices a dead connection too
		DialOptions:         []grpc.DialOption{reconnect},
		Logger:              newZap(cfg.Log, g.closed, func(message string) { cfg.Log.Error("etcd client gave up", "reason", message) }),
	}
	deadline, cancel := context.WithTimeout(ctx, e.DialTimeout)
	defer cancel()
	c, err := clientv3.New(conf) // logs in, so it may take DialTimeout as well
	if err == nil {
		if _, err = c.Get(deadline, objectsPrefix, clientv3.WithPrefix(), clientv3.WithLimit(1), clientv3.WithKeysOnly()); err == nil {
			if e.Username != "" {
				c.Watcher = freshWatcher{c.Watcher}
			}
			return &cluster{client: gateClient(c, g), cfg: e, tls: tlsConfig}, nil
		}
		_ = c.Close() // the connection error is the one to show
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("connect to etcd: %w", ctx.Err())
	}
	return nil, unreachable(ctx, e, tlsConfig, err)
}

// streamAge is for how many seconds new watches join the stream of those before.
const streamAge = 10

// freshWatcher is for who logs in. Watches share a stream, and etcd judges a new one by the token with
// which its stream was opened. The client does not renew that, and takes another one for all else, so
// that it lapses after five minutes, and no watch can join any more.
type freshWatcher struct{ clientv3.Watcher }

// Watch opens a watch. Streams are shared by those whose context has the same metadata.
func (w freshWatcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	moment := strconv.FormatInt(time.Now().Unix()/streamAge, 10)
	return w.Watcher.Watch(metadata.AppendToOutgoingContext(ctx, "sluice-watch", moment), key, opts...)
}

func (e EtcdConfig) tls() (*tls.Config, error) {
	if !strings.HasPrefix(e.Endpoints[0], "https://") {
		return nil, nil
	}
	info := transport.TLSInfo{TrustedCAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile}
	c, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read TLS files of store.etcd (caFile %q, certFile %q, keyFile %q): %w", e.CAFile, e.CertFile, e.KeyFile, err)
	}
	c.MinVersion = tls.VersionTLS12
	return c, nil
}

func (e EtcdConfig) password() (string, error) {
	if e.PasswordFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(e.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read store.etcd.passwordFile: %w", err)
	}
	password := strings.TrimRight(string(b), " \t\r\n")
	if password == "" {
		return "", invalid("store.etcd.passwordFile %s is empty", e.PasswordFile)
	}
	return password, nil
}

// unreachable explains a failed connection in words of the person who has to mend it. The
// client itself only says that a deadline passed.
func unreachable(ctx context.Context, e EtcdConfig, t *tls.Config, err error) error {
	where := strings.Join(e.Endpoints, ", ")
	switch {
	case errors.Is(err, rpctypes.ErrPermissionDenied) && e.Username != "":
		return fmt.Errorf("%w: read etcd at %s: %w: grant user %q read and write on the prefix /sluice/", ErrUnavailable, where, err, e.Username)
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return fmt.Errorf("%w: log in to etcd at %s: %w: check store.etcd username and passwordFile, and that authentication is switched on there if and only if they are set", ErrUnavailable, where, err)
	}
	causes := make([]string, len(e.Endpoints))
	var wg sync.WaitGroup
	for i, ep := range e.Endpoints {
		wg.Go(func() { causes[i] = fmt.Sprintf("%s: %s", ep, probe(ctx, ep, t, max(probeTimeout, e.DialTimeout))) })
	}
	wg.Wait()
	return fmt.Errorf("%w: no answer from etcd within %s (%s): check that etcd runs and has a leader, that store.etcd.endpoints are its client addresses, and firewalls and TLS files; last error: %w",
		ErrUnavailable, e.DialTimeout, strings.Join(causes, "; "), err)
}

// probe says how far a plain connection to an endpoint gets.
func probe(ctx context.Context, endpoint string, t *tls.Config, patience time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	u, err := url.Parse(endpoint)
	if err != nil {
		return err.Error()
	}
	var conn net.Conn
	if t != nil {
		conn, err = (&tls.Dialer{Config: t}).DialContext(ctx, "tcp", u.Host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	}
	if err != nil {
		return err.Error()
	}
	_ = conn.Close() // only opened to see whether it can be
	return "accepts connections, but etcd does not answer"
}

func (c *cluster) connection() *clientv3.Client { return c.client }

// defrag works through the members one after the other, since each stands still meanwhile.
func (c *cluster) defrag(ctx context.Context) error {
	var errs []error
	for _, ep := range c.cfg.Endpoints {
		if _, err := c.client.Defragment(ctx, ep); err != nil {
			errs = append(errs, fmt.Errorf("defragment %s: %w", ep, err))
		}
	}
	return errors.Join(errs...)
}

// unload has nothing to do: the members are other processes.
func (c *cluster) unload() error { return nil }

// tidy defragments the members of which more than a quarter is free: a physical compaction
// waits for the member that was asked, and the others follow when they can.
func (c *cluster) tidy(ctx context.Context) (bool, error) {
	for _, m := range c.status(ctx).Members {
		if m.Err != nil || m.DBSize-m.InUse < m.DBSize/4 {
			continue
		}
		if _, err := c.client.Defragment(ctx, m.Endpoint); err != nil {
			return false, fmt.Errorf("defragment %s: %w", m.Endpoint, err)
		}
	}
	return true, nil
}

// status asks every endpoint at the same time. A member that does not answer shows its
// error; Status.Err is set when none does.
func (c *cluster) status(ctx context.Context) Status {
	s := Status{Mode: ModeCluster, Endpoints: c.cfg.Endpoints, Members: make([]Member, len(c.cfg.Endpoints))}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for i, ep := range c.cfg.Endpoints {
		wg.Go(func() { s.Members[i] = c.member(ctx, ep) })
	}
	wg.Wait()
	names := map[uint64]string{}
	if list, err := c.client.MemberList(ctx); err == nil {
		for _, m := range list.Members {
			names[m.ID] = m.Name
		}
	}
	var errs []error
	for i := range s.Members {
		m := &s.Members[i]
		m.Name = names[m.id]
		s.Revision, s.DBSize, s.InUse = max(s.Revision, m.Revision), max(s.DBSize, m.DBSize), max(s.InUse, m.InUse)
		s.Quota = max(s.Quota, m.quota)
		s.Alarms = append(s.Alarms, m.alarms...)
		if m.Err != nil {
			errs = append(errs, m.Err)
		}
	}
	if len(errs) == len(s.Members) {
		s.Err = errors.Join(errs...)
	}
	return s
}

func (c *cluster) member(ctx context.Context, endpoint string) Member {
	m := Member{Endpoint: endpoint}
	r, err := c.client.Status(ctx, endpoint)
	if err != nil {
		m.Err = failed(context.Background(), "read status of etcd at "+endpoint, err)
		return m
	}
	m.id, m.Leader = r.Header.MemberId, r.Leader == r.Header.MemberId
	m.DBSize, m.InUse, m.Revision, m.alarms, m.quota = r.DbSize, r.DbSizeInUse, r.Header.Revision, r.Errors, r.DbSizeQuota
	return m
}

func (c *cluster) close(*slog.Logger) error {
	if err := c.client.Close(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
