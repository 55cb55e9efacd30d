package controller

import (
	"context"
	"crypto/rand"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// leaseLife is how long a Lease stays with a holder that does not renew it.
	leaseLife = 15 * time.Second
	// renewEvery leaves a holder two more attempts before somebody else takes the Lease.
	renewEvery = 5 * time.Second
)

// lease is a Lease of the cluster that one process holds. Clocks of machines are not compared:
// a Lease is free when it was not renewed for its life as this process has seen it.
type lease struct {
	client          *client
	namespace, name string
	holder          string

	held      bool
	renewed   time.Time // by this process
	tried     time.Time
	failed    error  // of the last try
	seen      string // the resource version that was last seen with another holder
	seenSince time.Time
}

func newLease(c *client, namespace, name, node string) *lease {
	return &lease{client: c, namespace: namespace, name: name, holder: shortened(node, 200) + "_" + rand.Text()[:8]}
}

// hold takes or renews the Lease, and says whether this process has it.
func (l *lease) hold(ctx context.Context, now time.Time) (bool, error) {
	// A tick of the loop may come a little early, and changes come at any time.
	if now.Sub(l.tried) < renewEvery-time.Second {
		return l.held, l.failed
	}
	l.tried = now
	held, err := l.renew(ctx, now)
	l.failed = err
	return held, err
}

func (l *lease) renew(ctx context.Context, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	held, err := l.try(ctx, now)
	if err != nil && l.held && now.Sub(l.renewed) < leaseLife-renewEvery {
		return true, nil // nobody else can have it yet
	}
	if l.held = held && err == nil; l.held {
		l.renewed = now
	}
	return l.held, err
}

func (l *lease) try(ctx context.Context, now time.Time) (bool, error) {
	found := &coordinationv1.Lease{}
	err := l.client.coordination.Get().Namespace(l.namespace).Resource("leases").Name(l.name).Do(ctx).Into(found)
	if apierrors.IsNotFound(err) {
		fresh := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: l.name}}
		l.claim(fresh, now)
		return won(l.client.coordination.Post().Namespace(l.namespace).Resource("leases").Body(fresh).Do(ctx).Error())
	}
	if err != nil {
		return false, err
	}
	if by := found.Spec.HolderIdentity; by != nil && *by != "" && *by != l.holder {
		if found.ResourceVersion != l.seen {
			l.seen, l.seenSince = found.ResourceVersion, now
		}
		if now.Sub(l.seenSince) < leaseLife {
			return false, nil
		}
	}
	l.claim(found, now)
	return won(l.client.coordination.Put().Namespace(l.namespace).Resource("leases").Name(l.name).Body(found).Do(ctx).Error())
}

// claim writes this process into a Lease.
func (l *lease) claim(of *coordinationv1.Lease, now time.Time) {
	if of.Spec.HolderIdentity == nil || *of.Spec.HolderIdentity != l.holder {
		var times int32
		if of.Spec.LeaseTransitions != nil {
			times = *of.Spec.LeaseTransitions + 1
		}
		taken := metav1.NewMicroTime(now)
		of.Spec.HolderIdentity, of.Spec.AcquireTime, of.Spec.LeaseTransitions = &l.holder, &taken, &times
	}
	seconds, renewed := int32(leaseLife/time.Second), metav1.NewMicroTime(now)
	of.Spec.LeaseDurationSeconds, of.Spec.RenewTime = &seconds, &renewed
}

// won says whether a write went through; one that somebody else came before did not.
func won(err error) (bool, error) {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// release gives the Lease up, so that the next process need not wait. Nothing depends on it.
func (l *lease) release() {
	if !l.held {
		return
	}
	l.held = false
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	found := &coordinationv1.Lease{}
	of := l.client.coordination
	if err := of.Get().Namespace(l.namespace).Resource("leases").Name(l.name).Do(ctx).Into(found); err != nil {
		return
	}
	if by := found.Spec.HolderIdentity; by == nil || *by != l.holder {
		return
	}
	found.Spec.HolderIdentity = nil
	_ = of.Put().Namespace(l.namespace).Resource("leases").Name(l.name).Body(found).Do(ctx).Error()
}
