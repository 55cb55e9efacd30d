package store

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Defaults of Config and EtcdConfig.
const (
	defaultQuota       = 2 << 30
	defaultHistoryKeep = 100
	defaultAuditKeep   = 100_000
	defaultDialTimeout = 5 * time.Second
	defaultCallTimeout = 7 * time.Second // longer than an election of a default cluster
	clusterTxnOps      = 128             // etcd's --max-txn-ops
	embeddedTxnOps     = 1024
	clusterRequestSize = 1_400_000 // below etcd's --max-request-bytes of 1.5 MiB
	embeddedRequest    = 8 << 20
	maxObjectSize      = 512 << 10
)

// Config says where the objects live.
type Config struct {
	// DataDir belongs to one process: Open takes a lock on DataDir/lock. The embedded etcd
	// lives in DataDir/etcd. Required when Etcd is nil; with a cluster it may be empty, and
	// then nothing is locked.
	DataDir string

	// Etcd is the cluster to use. Nil, the default, runs etcd inside the process, which is
	// right for one machine.
	Etcd *EtcdConfig

	// QuotaBackendBytes bounds the database of the embedded etcd; when it is reached, the
	// store makes room by itself. Default 2 GiB. Raise it if Status shows InUse close to it.
	QuotaBackendBytes int64

	// HistoryKeep is how many history entries of each object are kept at least. Default 100.
	HistoryKeep int

	// AuditKeep is how many audit records are kept at least. Default 100000, some 40 MB.
	AuditKeep int

	// CallTimeout bounds each call whose context has no earlier deadline. Default 7s, so
	// that the election of a new leader fits in.
	CallTimeout time.Duration

	// UnsafeNoFsync lets the embedded etcd lose acknowledged writes in a power failure. For
	// tests only, which are faster with it.
	UnsafeNoFsync bool

	// Before is called before each call to etcd: a place to let more urgent work go first.
	// Default: nothing is done.
	Before func()

	// Log receives what the store and etcd have to say. Default slog.Default().
	Log *slog.Logger
}

// EtcdConfig names an etcd cluster and how to log in.
type EtcdConfig struct {
	// Endpoints of all members, such as "https://10.0.0.1:2379". Required.
	Endpoints []string

	// CAFile holds the certificates (PEM) that sign the members'. Default: the system's.
	CAFile string
	// CertFile and KeyFile are the client certificate, if the cluster asks for one. They are
	// read again for each connection, so they can be renewed in place.
	CertFile, KeyFile string

	// Username and PasswordFile log in where the cluster has authentication switched on.
	// White space at the end of the file is ignored. The user needs read and write access
	// to keys below /sluice/, and the root role for the automatic repair of a full quota,
	// which compacts and defragments the whole cluster.
	Username, PasswordFile string

	// DialTimeout bounds how long Open tries to reach the cluster. Default 5s.
	DialTimeout time.Duration

	// MaxTxnOps is the cluster's --max-txn-ops. Default 128. Raise it together with the
	// cluster's when Apply has to change more than 63 objects at once.
	MaxTxnOps int
}

// withDefaults fills in what is unset and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	c.QuotaBackendBytes = cmp.Or(c.QuotaBackendBytes, defaultQuota)
	if c.Before == nil {
		c.Before = func() {}
	}
	c.HistoryKeep = cmp.Or(c.HistoryKeep, defaultHistoryKeep)
	c.AuditKeep = cmp.Or(c.AuditKeep, defaultAuditKeep)
	c.CallTimeout = cmp.Or(c.CallTimeout, defaultCallTimeout)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	switch {
	case c.QuotaBackendBytes < 0 || c.HistoryKeep < 0 || c.AuditKeep < 0 || c.CallTimeout < 0:
		return c, fmt.Errorf("%w: store configuration: quota, history, audit and timeout must not be negative", ErrInvalid)
	case c.Etcd == nil && c.DataDir == "":
		return c, fmt.Errorf("%w: store configuration: the embedded etcd needs a data directory: set dataDir", ErrInvalid)
	case c.Etcd == nil:
		return c, nil
	}
	e, err := c.Etcd.withDefaults()
	c.Etcd = &e
	return c, err
}

func (e EtcdConfig) withDefaults() (EtcdConfig, error) {
	e.DialTimeout = cmp.Or(e.DialTimeout, defaultDialTimeout)
	e.MaxTxnOps = cmp.Or(e.MaxTxnOps, clusterTxnOps)
	bad := func(format string, args ...any) (EtcdConfig, error) {
		return e, fmt.Errorf("%w: store.etcd: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(e.Endpoints) == 0 {
		return bad("endpoints is empty: list the members, such as https://10.0.0.1:2379")
	}
	files := e.CAFile + e.CertFile + e.KeyFile
	for _, ep := range e.Endpoints {
		switch {
		case !strings.HasPrefix(ep, "http://") && !strings.HasPrefix(ep, "https://"):
			return bad("endpoint %q: write it as https://HOST:PORT or http://HOST:PORT", ep)
		case strings.HasPrefix(ep, "http://") && files != "":
			return bad("endpoint %q is plain http but TLS files are given: write https://, or remove caFile, certFile and keyFile", ep)
		}
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		return bad("certFile and keyFile belong together: give both or none")
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		return bad("username and passwordFile belong together: give both or none")
	}
	if e.MaxTxnOps < 4 || e.DialTimeout < 0 {
		return bad("maxTxnOps must be at least 4 and dialTimeout must not be negative")
	}
	return e, nil
}
