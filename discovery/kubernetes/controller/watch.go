package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// The pause before a lost watch is tried again: doubled from the first to the longest, and
// back to the first after a watch that held for steadyWatch.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	steadyWatch  = 10 * time.Second
)

// notReached is the state before the first attempt.
const notReached = "not reached yet"

// watched is everything of one kind in the cluster, kept by a reflector.
type watched struct {
	cache.Store
	resource string
	sample   runtime.Object
	lw       func(opened, silent func()) cache.ListerWatcher
	changed  func()

	mu     sync.Mutex // guards what follows
	synced bool       // a complete list has come in
	lost   string     // why it is not followed now; "" when it is
	since  time.Time  // when it was lost
}

func newWatched[T runtime.Object](c *client, of *rest.RESTClient, resource, fields string, sample T, list func() runtime.Object, changed func()) *watched {
	return &watched{
		Store: cache.NewStore(cache.MetaNamespaceKeyFunc), resource: resource, sample: sample, changed: changed,
		lw: func(opened, silent func()) cache.ListerWatcher {
			return c.listWatch(of, resource, fields, list, opened, silent)
		},
		lost: notReached,
	}
}

// Transformer makes the reflector keep only what translating needs.
func (w *watched) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		m, err := meta.Accessor(obj)
		if err != nil {
			return nil, err
		}
		m.SetManagedFields(nil)
		if a := m.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
			delete(a, corev1.LastAppliedConfigAnnotation) // kubectl's copy of everything, keys included
			m.SetAnnotations(a)
		}
		if s, ok := obj.(*corev1.Secret); ok {
			kept := map[string][]byte{}
			for _, k := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
				if v, ok := s.Data[k]; ok {
					kept[k] = v
				}
			}
			s.Data = kept
		}
		return obj, nil
	}
}

// Add, Update, Delete and Replace keep what has changed and tell of it.

func (w *watched) Add(obj any) error    { return w.keep(w.Store.Add, obj) }
func (w *watched) Update(obj any) error { return w.keep(w.Store.Update, obj) }
func (w *watched) Delete(obj any) error { return w.keep(w.Store.Delete, obj) }

func (w *watched) keep(how func(any) error, obj any) error {
	slim, err := w.Transformer()(obj)
	if err == nil {
		err = how(slim)
	}
	if err == nil {
		w.changed()
	}
	return err
}

func (w *watched) Replace(list []any, version string) error {
	for _, obj := range list {
		if _, err := w.Transformer()(obj); err != nil {
			return err
		}
	}
	if err := w.Store.Replace(list, version); err != nil {
		return err
	}
	w.mu.Lock()
	w.synced, w.lost = true, ""
	w.mu.Unlock()
	w.changed()
	return nil
}

// state says whether everything was known once, and why it is not followed now.
func (w *watched) state() (synced bool, lost string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.synced, w.lost
}

// loss says why it is not followed now, and since when; "" when it is.
func (w *watched) loss() (why string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost, w.since
}

// run keeps the store in step with the cluster until ctx ends.
func (w *watched) run(ctx context.Context, c *Controller) {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(c.log.Handler()))
	opened := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.synced {
			w.lost = ""
		}
	}
	silent := func() {
		c.log.Warn("kubernetes watch said nothing, renewing it", "resource", w.resource, "after", c.cfg.Cluster.Stall)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lost = fmt.Sprintf("follow %s at %s: the watch said nothing for %v and is renewed", w.resource, c.client.server, c.cfg.Cluster.Stall)
	}
	reflector := cache.NewReflectorWithOptions(w.lw(opened, silent), w.sample, w, cache.ReflectorOptions{Name: c.Name() + " " + w.resource})
	pause := firstPause
	for ctx.Err() == nil {
		started := time.Now()
		whole, cancel := c.cfg.Cluster.UntilResync(ctx)
		err := cmp.Or(reflector.ListAndWatchWithContext(whole), errors.New("the watch has ended"))
		resync := whole.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		if resync {
			continue // time for a whole list: nothing is lost
		}
		w.mu.Lock()
		first := w.lost == "" || !w.synced && w.lost == notReached
		if first {
			w.since = time.Now()
		}
		w.lost = fmt.Sprintf("follow %s at %s: %v", w.resource, c.client.server, err)
		w.mu.Unlock()
		if first {
			c.log.Warn("kubernetes resources lost, trying again", "resource", w.resource, "err", err)
		}
		if time.Since(started) > steadyWatch {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
		pause = min(2*pause, longestPause)
	}
}

// all returns what is kept, in any order.
func all[T any](w *watched) []T {
	list := w.List()
	out := make([]T, 0, len(list))
	for _, obj := range list {
		if o, ok := obj.(T); ok {
			out = append(out, o)
		}
	}
	return out
}

// watches are all kinds that are watched. Of Secrets only those for TLS are asked for: the
// others are nobody's business here.
func watches(c *client, changed func()) (classes, ingresses, services, secrets, namespaces *watched) {
	tls := "type=" + string(corev1.SecretTypeTLS)
	return newWatched(c, c.networking, "ingressclasses", "", &networkingv1.IngressClass{}, func() runtime.Object { return &networkingv1.IngressClassList{} }, changed),
		newWatched(c, c.networking, "ingresses", "", &networkingv1.Ingress{}, func() runtime.Object { return &networkingv1.IngressList{} }, changed),
		newWatched(c, c.core, "services", "", &corev1.Service{}, func() runtime.Object { return &corev1.ServiceList{} }, changed),
		newWatched(c, c.core, "secrets", tls, &corev1.Secret{}, func() runtime.Object { return &corev1.SecretList{} }, changed),
		newWatched(c, c.core, "namespaces", "", &corev1.Namespace{}, func() runtime.Object { return &corev1.NamespaceList{} }, changed)
}
