package etcd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	grpcmetadata "google.golang.org/grpc/metadata"
)

// Registry is an etcd that the source connects to by itself.
type Registry struct {
	// Endpoints of all members, such as "https://10.0.0.1:2379". Required.
	Endpoints []string
	// CAFile holds the certificates (PEM) that sign the members'. Default: the system's.
	CAFile string
	// CertFile and KeyFile are the client certificate, if the etcd asks for one. They are
	// read again for each connection, so they can be renewed in place.
	CertFile, KeyFile string
	// Username and PasswordFile log in where authentication is switched on. White space at
	// the end of the file is ignored, and it is read again when the etcd refuses what it
	// held. The user needs to read the prefixes that upstreams follow, and nothing else.
	Username, PasswordFile string
}

const (
	keepAliveTime    = 10 * time.Second // a silent connection is asked after this long
	keepAliveTimeout = 5 * time.Second  // and given up after this much longer
	dialTimeout      = time.Second      // of a look at what is wrong
)

// reconnect is how often a member that is away is tried: gRPC's own pause grows to two
// minutes, which is how long the source would then lag behind an etcd that came back.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 3 * time.Second,
})

// connect opens the registry, trying again until it can or ctx ends.
func (s *Source) connect(ctx context.Context) *clientv3.Client {
	pause := firstPause
	for logged := false; ; logged = true {
		c, err := s.open(ctx)
		if err == nil || ctx.Err() != nil {
			return c
		}
		s.health.probed(err)
		if !logged {
			s.cfg.Log.Warn("etcd registry cannot be used, trying again", "source", s.Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longestPause)
	}
}

// open makes a client and logs in where that is asked for.
func (s *Source) open(ctx context.Context) (*clientv3.Client, error) {
	r := s.cfg.Registry
	conf, err := r.tls()
	if err != nil {
		return nil, err
	}
	password, err := r.password()
	if err != nil {
		return nil, err
	}
	c, err := clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: r.Endpoints, TLS: conf, Username: r.Username, Password: password,
		DialTimeout: s.cfg.Answer, DialKeepAliveTime: keepAliveTime, DialKeepAliveTimeout: keepAliveTimeout,
		PermitWithoutStream: true, // a quiet prefix notices a dead connection too
		DialOptions:         []grpc.DialOption{reconnect},
		Logger:              zap.NewNop(), // what it has to say comes with its errors
	})
	if err != nil {
		return nil, s.explain(ctx, "log in to", r.Endpoints, err)
	}
	if r.Username != "" {
		c.Watcher = freshWatcher{c.Watcher}
	}
	return c, nil
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
	return w.Watcher.Watch(grpcmetadata.AppendToOutgoingContext(ctx, "sluice-watch", moment), key, opts...)
}

func (r *Registry) tls() (*tls.Config, error) {
	if !strings.HasPrefix(r.Endpoints[0], "https://") {
		return nil, nil
	}
	c, err := transport.TLSInfo{TrustedCAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile}.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read TLS files (caFile %q, certFile %q, keyFile %q): %w", r.CAFile, r.CertFile, r.KeyFile, err)
	}
	c.MinVersion = tls.VersionTLS12
	return c, nil
}

func (r *Registry) password() (string, error) {
	if r.PasswordFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read passwordFile: %w", err)
	}
	password := strings.TrimRight(string(b), " \t\r\n")
	if password == "" {
		return "", fmt.Errorf("passwordFile %s is empty", r.PasswordFile)
	}
	return password, nil
}

// refused says whether the etcd does not take who we say we are.
func refused(err error) bool {
	for _, known := range []error{rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken, rpctypes.ErrUserEmpty, rpctypes.ErrAuthOldRevision} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// explain puts a failed call in words of the person who has to mend it. The client itself
// only says that a deadline passed.
func (s *Source) explain(ctx context.Context, doing string, endpoints []string, err error) error {
	where, r := "the embedded etcd", s.cfg.Registry
	if len(endpoints) > 0 {
		where = "etcd " + strings.Join(endpoints, ", ")
	}
	switch {
	case refused(err) && r != nil:
		return fmt.Errorf("%s %s as user %q: %w: check username and passwordFile of the registry", doing, where, r.Username, err)
	case errors.Is(err, rpctypes.ErrPermissionDenied) && r != nil:
		return fmt.Errorf("%s %s: %w: grant user %q to read that prefix", doing, where, err, cmp.Or(r.Username, "of the client certificate"))
	case errors.Is(err, context.DeadlineExceeded) && r != nil:
		return fmt.Errorf("%s %s: no answer within %v (%s): check that etcd runs and has a leader, the registry's endpoints, and its TLS files",
			doing, where, s.cfg.Answer, r.look(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %s: no answer within %v", doing, where, s.cfg.Answer)
	}
	return fmt.Errorf("%s %s: %w", doing, where, err)
}

// look says how far a plain connection to each endpoint gets.
func (r *Registry) look(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conf, err := r.tls()
	if err != nil {
		return err.Error()
	}
	found := make([]string, len(r.Endpoints))
	var looking sync.WaitGroup
	for i, endpoint := range r.Endpoints {
		looking.Go(func() {
			found[i] = endpoint + ": accepts connections, but etcd does not answer"
			if err := dial(ctx, endpoint, conf); err != nil {
				found[i] = endpoint + ": " + err.Error()
			}
		})
	}
	looking.Wait()
	return strings.Join(found, "; ")
}

func dial(ctx context.Context, endpoint string, conf *tls.Config) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	var conn net.Conn
	if conf != nil {
		conn, err = (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", u.Host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	}
	if err != nil {
		return err
	}
	_ = conn.Close() // only opened to see whether it can be
	return nil
}
