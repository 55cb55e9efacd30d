package etcd

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// server is a real etcd, embedded, that can be stopped, started and wiped. Its one client
// reaches it through a unix socket and can be cut off.
type server struct {
	t      *testing.T
	dir    string
	socket string
	etcd   *embed.Etcd
	client *clientv3.Client
	cut    atomic.Bool
	conns  chan net.Conn
}

func newServer(t *testing.T) *server {
	t.Helper()
	// Unix socket names are short: t.TempDir may be too long.
	sockets, err := os.MkdirTemp("", "sluice-etcd")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: t.TempDir(), socket: filepath.Join(sockets, "s:0"), conns: make(chan net.Conn, 1000)}
	t.Cleanup(func() {
		s.stop()
		if err := os.RemoveAll(sockets); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startEmbedded runs an etcd without any listener, as Sluice does, and returns a client.
func startEmbedded(t *testing.T) *clientv3.Client {
	t.Helper()
	s := newServer(t)
	s.socket = ""
	s.run()
	c := s.inside()
	return c
}

// start runs the etcd on its socket and returns the one client, which lives through stops.
func (s *server) start() *clientv3.Client {
	s.t.Helper()
	s.run()
	if s.client != nil {
		return s.client
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{"passthrough:///etcd"},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(s.dial)},
		Logger:      zap.NewNop(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = c
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) run() {
	s.t.Helper()
	peer := url.URL{Scheme: "http", Host: "embedded.invalid:1"}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = "local", s.dir
	cfg.ListenPeerUrls, cfg.ListenClientUrls, cfg.AdvertiseClientUrls = nil, nil, nil
	if s.socket != "" {
		cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Host: s.socket}}
		cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	}
	cfg.AdvertisePeerUrls = []url.URL{peer}
	cfg.InitialCluster = "local=" + peer.String()
	cfg.EnableGRPCGateway = false
	cfg.TickMs, cfg.ElectionMs = 20, 100
	cfg.UnsafeNoFsync = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		s.t.Fatalf("start etcd: %v", err)
	}
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(patience):
		s.t.Fatal("etcd is not ready")
	}
	s.etcd = e
}

// inside is a client that needs no connection.
func (s *server) inside() *clientv3.Client { return v3client.New(s.etcd.Server) }

func (s *server) stop() {
	if s.etcd != nil {
		s.etcd.Close()
		s.etcd = nil
	}
}

func (s *server) wipe() {
	s.t.Helper()
	s.dir = s.t.TempDir()
}

func (s *server) dial(ctx context.Context, _ string) (net.Conn, error) {
	if s.cut.Load() {
		return nil, net.ErrClosed
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", s.socket)
	if err != nil {
		return nil, err
	}
	s.conns <- conn
	if s.cut.Load() { // cut off between the two checks
		_ = conn.Close()
	}
	return conn, nil
}

// cutOff closes the client's connections and lets it make no new ones.
func (s *server) cutOff() {
	s.cut.Store(true)
	for {
		select {
		case conn := <-s.conns:
			_ = conn.Close()
		default:
			return
		}
	}
}

func (s *server) reconnect() { s.cut.Store(false) }
