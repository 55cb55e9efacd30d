package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

const (
	startTimeout = 60 * time.Second // a large log on a slow disk
	stopTimeout  = 3 * time.Second  // it takes some milliseconds
)

// etcd preallocates two segments of 64 MB by default. The variable is the package's, so it
// is set once, before any server can run.
func init() { wal.SegmentSizeBytes = 4 << 20 }

// embedded is an etcd server inside this process, without any listener.
type embedded struct {
	etcd   *embed.Etcd
	client *clientv3.Client
	quota  int64
}

func embeddedConfig(cfg Config, g *gate, died func(string)) (*embed.Config, error) {
	c := embed.NewConfig()
	c.Name = "local"
	c.Dir = filepath.Join(cfg.DataDir, "etcd")
	// An identity only: with a single member it is never dialled.
	self, err := url.Parse("http://embedded.invalid:1")
	if err != nil {
		return nil, err
	}
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil, nil
	c.AdvertisePeerUrls = []url.URL{*self}
	c.InitialCluster = c.Name + "=" + self.String()
	c.EnableGRPCGateway = false
	// One member wins every election; short ticks make it quick.
	c.TickMs, c.ElectionMs = 20, 100
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModeRevision, "10000"
	c.QuotaBackendBytes = cfg.QuotaBackendBytes
	// Nobody has to catch up, but a start must find in memory what it applies again: all since the
	// last snapshot. raft panics when it campaigns meanwhile and etcd has dropped some of that.
	c.SnapshotCount, c.SnapshotCatchUpEntries = 500, 1000
	c.MaxTxnOps, c.MaxRequestBytes = embeddedTxnOps, embeddedRequest
	c.WatchProgressNotifyInterval = time.Minute
	c.UnsafeNoFsync = cfg.UnsafeNoFsync
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newZap(cfg.Log, g.closed, died))
	return c, nil
}

// startEmbedded returns when the server answers. The caller holds the lock on the data
// directory: without it, a second etcd would wait here for ever.
func startEmbedded(ctx context.Context, cfg Config, g *gate) (_ *embedded, err error) {
	dead := make(chan string, 1)
	conf, err := embeddedConfig(cfg, g, func(message string) {
		select {
		case dead <- message:
		default:
		}
		cfg.Log.Error("embedded etcd gave up; the store is unavailable until the next start", "reason", message)
		go g.shut(fmt.Errorf("%w: the embedded etcd gave up (%s): check the disk of %s and restart", ErrUnavailable, message, cfg.DataDir), 0)
	})
	if err != nil {
		return nil, err
	}
	type started struct {
		etcd *embed.Etcd
		err  error
	}
	// In a goroutine, since etcd may give up in the middle of its start.
	done := make(chan started, 1)
	go func() { e, err := embed.StartEtcd(conf); done <- started{e, err} }()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	var e *embed.Etcd
	select {
	case s := <-done:
		if s.err != nil {
			return nil, fmt.Errorf("start embedded etcd in %s: %w", conf.Dir, s.err)
		}
		e = s.etcd
	case message := <-dead:
		return nil, fmt.Errorf("start embedded etcd in %s: it gave up: %s: check the disk, or move the folder away and restore a backup", conf.Dir, message)
	case <-timeout.C:
		return nil, fmt.Errorf("start embedded etcd in %s: not started after %s", conf.Dir, startTimeout)
	}
	// Cases: it answers; it failed or gave up; the caller has had enough; far too late.
	select {
	case <-e.Server.ReadyNotify():
		return newEmbedded(e, cfg, g), nil
	case err = <-e.Err():
	case message := <-dead:
		err = errors.New(message)
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = fmt.Errorf("not ready after %s", startTimeout)
	}
	closeEtcd(e, cfg.Log)
	return nil, fmt.Errorf("start embedded etcd in %s: %w", conf.Dir, err)
}

func newEmbedded(e *embed.Etcd, cfg Config, g *gate) *embedded {
	c := v3client.New(e.Server)
	c.Maintenance = &localMaintenance{Maintenance: c.Maintenance, etcd: e, gate: g}
	c.Cluster = &gatedCluster{Cluster: c.Cluster, gate: g}
	return &embedded{etcd: e, client: gateClient(c, g), quota: cfg.QuotaBackendBytes}
}

func (e *embedded) connection() *clientv3.Client { return e.client }

func (e *embedded) defrag(ctx context.Context) error {
	_, err := e.client.Defragment(ctx, "")
	return err
}

// tidy has nothing to do: the one member has compacted before it was defragmented.
func (e *embedded) tidy(context.Context) (bool, error) { return false, nil }

func (e *embedded) status(ctx context.Context) Status {
	s := Status{Mode: ModeEmbedded, Quota: e.quota}
	r, err := e.client.Status(ctx, "")
	if err != nil {
		s.Err = failed(ctx, "read status of the embedded etcd", err)
		return s
	}
	s.Revision, s.DBSize, s.InUse, s.Alarms = r.Header.Revision, r.DbSize, r.DbSizeInUse, r.Errors
	s.Members = []Member{{Name: e.etcd.Server.Cfg.Name, Leader: true, DBSize: r.DbSize, InUse: r.DbSizeInUse, Revision: r.Header.Revision}}
	return s
}

// close runs after the gate is shut and everyone is out: first the client, then the server.
func (e *embedded) close(log *slog.Logger) error {
	// Its error is always "context canceled", since there is no connection.
	if !bounded(func() { _ = e.client.Close() }) {
		log.Warn("store: client of the embedded etcd did not close in time", "timeout", stopTimeout)
	}
	closeEtcd(e.etcd, log)
	return nil
}

func closeEtcd(e *embed.Etcd, log *slog.Logger) {
	if !bounded(e.Close) {
		log.Warn("store: embedded etcd did not stop in time; the process goes on without it", "timeout", stopTimeout)
	}
}

// bounded waits for f, but not for ever: an etcd that gave up may hold locks. It tells
// whether f has ended.
func bounded(f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(stopTimeout):
		return false
	}
}

// localMaintenance replaces what panics in an etcd without listeners.
type localMaintenance struct {
	clientv3.Maintenance
	etcd *embed.Etcd
	gate *gate
}

func (m *localMaintenance) AlarmList(ctx context.Context) (*clientv3.AlarmResponse, error) {
	return through(ctx, m.gate, m.Maintenance.AlarmList)
}

func (m *localMaintenance) AlarmDisarm(ctx context.Context, a *clientv3.AlarmMember) (*clientv3.AlarmResponse, error) {
	return through(ctx, m.gate, func(ctx context.Context) (*clientv3.AlarmResponse, error) { return m.Maintenance.AlarmDisarm(ctx, a) })
}

func (m *localMaintenance) Status(ctx context.Context, endpoint string) (*clientv3.StatusResponse, error) {
	return through(ctx, m.gate, func(ctx context.Context) (*clientv3.StatusResponse, error) {
		return m.Maintenance.Status(ctx, endpoint)
	})
}

// Defragment goes past the client, whose call panics on a nil health notifier.
func (m *localMaintenance) Defragment(ctx context.Context, _ string) (*clientv3.DefragmentResponse, error) {
	return through(ctx, m.gate, func(context.Context) (*clientv3.DefragmentResponse, error) {
		return &clientv3.DefragmentResponse{}, m.etcd.Server.Backend().Defrag()
	})
}

type gatedCluster struct {
	clientv3.Cluster
	gate *gate
}

func (c *gatedCluster) MemberList(ctx context.Context, opts ...clientv3.OpOption) (*clientv3.MemberListResponse, error) {
	return through(ctx, c.gate, func(ctx context.Context) (*clientv3.MemberListResponse, error) {
		return c.Cluster.MemberList(ctx, opts...)
	})
}
