package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
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
	// live is told the version of the endpoint sets in each answer.
	live func(version string)

	mu     sync.Mutex
	report gateway.NodeReport
	tree   protocol.NodeTree
	fresh  bool
	cancel context.CancelFunc // of the open request
	done   string             // digest of the newest Settle that was carried out
}

func newLink(c client, live func(version string)) *link {
	return &link{client: c, live: live, out: make(chan protocol.SyncResponse, 1)}
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

// carried tells the control plane at once that a Settle is carried out.
func (l *link) carried(digest string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == digest {
		return
	}
	l.done, l.fresh = digest, true
	if l.cancel != nil {
		l.cancel()
	}
}

// run blocks until ctx ends. It enrols the node first, and renews its certificate in time. An
// unreachable control plane is logged when it goes, when its reason changes, and when it comes
// back. A node that never was enrolled and is turned away is an errTurnedAway.
func (l *link) run(ctx context.Context) error {
	have, said, wait := protocol.SyncRequest{}, "", time.Second
	for ctx.Err() == nil {
		answer, interrupted, err := l.ask(ctx, have)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errTurnedAway):
			return err
		case interrupted:
			continue
		case err != nil:
			if err.Error() != said {
				l.client.cfg.Log.Warn("the control plane does not answer; nginx goes on with what it has", "error", err)
			}
			said = err.Error()
			sleep(ctx, wait/2+rand.N(wait))
			wait = min(2*wait, 15*time.Second)
			continue
		case said != "":
			l.client.cfg.Log.Info("the control plane answers again")
		}
		said, wait, have.Have, have.HaveLive = "", time.Second, answer.Desired, answer.LiveVersion
		if answer.Settle != nil {
			have.Settled = answer.Settle.Digest
		}
		l.live(answer.LiveVersion)
		l.deliver(answer)
		if answer.UploadTree {
			l.upload(ctx)
		}
	}
	return nil
}

// errTurnedAway: the node can not become one of its fleet, until a person does something.
var errTurnedAway = errors.New("enrol the node")

// ask sees to the certificate and makes one request.
func (l *link) ask(ctx context.Context, have protocol.SyncRequest) (protocol.SyncResponse, bool, error) {
	err, refused := l.client.cfg.identity.tend(ctx)
	switch {
	case refused:
		return protocol.SyncResponse{}, false, fmt.Errorf("%w: %w", errTurnedAway, err)
	case err != nil:
		return protocol.SyncResponse{}, false, err
	}
	answer, interrupted, err := l.sync(ctx, have)
	l.client.cfg.identity.note(err)
	return answer, interrupted, err
}

// sync makes one request. It is interrupted when a newer report arrives meanwhile.
func (l *link) sync(ctx context.Context, have protocol.SyncRequest) (protocol.SyncResponse, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	report, carried, wait := l.report, l.done, min(protocol.MaxWait, l.client.cfg.identity.untilRenewal())
	l.fresh, l.cancel = false, cancel
	l.mu.Unlock()
	have.Report, have.Carried, have.Wait = report, carried, gateway.Duration(wait)
	answer, err := l.client.sync(ctx, have)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel = nil
	return answer, err != nil && l.fresh, err
}

func (l *link) deliver(answer protocol.SyncResponse) {
	select {
	case older := <-l.out: // nobody took it
		answer.Settle = both(older.Settle, answer.Settle)
	default:
	}
	l.out <- answer
}

// both is what is to be settled after two answers of which nobody has taken the first: each edit
// is said once, so what the newer one leaves out has not been carried out, but forgotten.
func both(older, newer *protocol.Settle) *protocol.Settle {
	if older == nil || newer == nil {
		return cmp.Or(older, newer)
	}
	out := *newer
	out.Revert = slices.Concat(older.Revert, newer.Revert)
	slices.Sort(out.Revert)
	out.Revert = slices.Compact(out.Revert)
	out.Files = nil
	for _, f := range older.Files {
		if !slices.ContainsFunc(newer.Files, func(n protocol.SettleFile) bool { return reflect.DeepEqual(n, f) }) {
			out.Files = append(out.Files, f)
		}
	}
	out.Files = append(out.Files, newer.Files...)
	return &out
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
