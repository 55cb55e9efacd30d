package agent

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// link keeps one sync request open. It always carries the newest report: a new one cancels
// the open request and starts another.
type link struct {
	client client
	// out receives what the control plane says; it keeps only the newest.
	out chan protocol.SyncResponse

	mu     sync.Mutex
	report gateway.NodeReport
	tree   protocol.NodeTree
	fresh  bool
	cancel context.CancelFunc // of the open request
}

func newLink(c client) *link {
	return &link{client: c, out: make(chan protocol.SyncResponse, 1)}
}

// publish hands over a report and the files that it speaks of.
func (l *link) publish(report gateway.NodeReport, tree protocol.NodeTree) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report, l.tree, l.fresh = report, tree, true
	if l.cancel != nil {
		l.cancel()
	}
}

// run blocks until ctx ends. An unreachable control plane is logged when it goes and when
// it comes back.
func (l *link) run(ctx context.Context) {
	have, away, wait := protocol.SyncRequest{}, false, time.Second
	for ctx.Err() == nil {
		answer, interrupted, err := l.sync(ctx, have)
		switch {
		case ctx.Err() != nil:
			return
		case interrupted:
			continue
		case err != nil:
			if !away {
				l.client.cfg.Log.Warn("the control plane does not answer; nginx goes on with what it has", "error", err)
			}
			away = true
			sleep(ctx, wait/2+rand.N(wait))
			wait = min(2*wait, 15*time.Second)
			continue
		case away:
			l.client.cfg.Log.Info("the control plane answers again")
		}
		away, wait, have.Have = false, time.Second, answer.Desired
		if answer.Settle != nil {
			have.Settled = answer.Settle.Digest
		}
		l.deliver(answer)
		if answer.UploadTree {
			l.upload(ctx)
		}
	}
}

// sync makes one request. It is interrupted when a newer report arrives meanwhile.
func (l *link) sync(ctx context.Context, have protocol.SyncRequest) (protocol.SyncResponse, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	report, wait := l.report, protocol.MaxWait
	l.fresh, l.cancel = false, cancel
	l.mu.Unlock()
	have.Report, have.Wait = report, gateway.Duration(wait)
	answer, err := l.client.sync(ctx, have)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel = nil
	return answer, err != nil && l.fresh, err
}

func (l *link) deliver(answer protocol.SyncResponse) {
	select {
	case older := <-l.out: // nobody took it
		if answer.Settle == nil {
			answer.Settle = older.Settle // it is said once
		}
	default:
	}
	l.out <- answer
}

func (l *link) upload(ctx context.Context) {
	l.mu.Lock()
	tree := l.tree
	l.mu.Unlock()
	if err := l.client.upload(ctx, tree); err != nil && ctx.Err() == nil {
		l.client.cfg.Log.Warn("upload the files that nginx loads", "error", err)
		sleep(ctx, time.Second)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
