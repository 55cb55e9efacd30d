package controller

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
	"github.com/sluice-gateway/sluice/gateway"
)

// Config of a [Controller].
type Config struct {
	// Cluster says how the cluster is reached, and its name.
	Cluster kubernetes.Config
	// Ingress says how resources are read. Cluster and Owners of it are filled in.
	Ingress ingress.Config
	// Set takes the objects that the cluster's resources make, whenever they may have
	// changed: a whole set each time, which it may keep.
	Set func(cluster string, objects []gateway.Object)
	// Node names this process in the Lease and in events. Two processes may have the same.
	Node string
	// LeaseNamespace is where the Lease is kept that lets one process write. Default "sluice".
	LeaseNamespace string
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// debounce is how long changes gather before they are translated: an "apply" of many
// resources is then one change, and nobody notices the wait.
const debounce = 50 * time.Millisecond

// Controller follows the Ingresses of one cluster.
type Controller struct {
	cfg     Config
	log     *slog.Logger
	client  *client
	writer  *writer
	changed chan struct{} // one slot: resources or tenants have changed

	classes, ingresses, services, secrets, namespaces *watched

	mu       sync.Mutex // guards what follows
	snapshot *gateway.Snapshot
	result   *ingress.Result // nil before the first one
	last     time.Time       // of result
}

// New returns a controller, or an error when the kubeconfig or the pod's account cannot be
// used. It connects to nothing.
func New(cfg Config) (*Controller, error) {
	cfg.Cluster = cfg.Cluster.Complete()
	cfg.Ingress.Cluster = cfg.Cluster.Name
	cfg.LeaseNamespace = cmp.Or(cfg.LeaseNamespace, "sluice")
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	api, err := newClient(cfg.Cluster)
	if err != nil {
		return nil, fmt.Errorf("kubernetes cluster %q: %w", cfg.Cluster.Name, err)
	}
	c := &Controller{cfg: cfg, client: api, changed: make(chan struct{}, 1)}
	c.log = cfg.Log.With("source", c.Name())
	c.classes, c.ingresses, c.services, c.secrets, c.namespaces = watches(api, func() { poke(c.changed) })
	c.writer = newWriter(cfg, api, c.log)
	return c, nil
}

// Name is "kubernetes/default/ingress": the source of objects and problems.
func (c *Controller) Name() string { return "kubernetes/" + c.cfg.Cluster.Name + "/ingress" }

// Synced says whether the resources were translated once.
func (c *Controller) Synced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result != nil
}

// Apply takes what was decided: whose tenants there are, and what is wrong with the objects
// that were handed over.
func (c *Controller) Apply(s *gateway.Snapshot) {
	c.mu.Lock()
	before := c.snapshot
	c.snapshot = s
	c.mu.Unlock()
	if before == nil || !slices.Equal(before.Tenants, s.Tenants) {
		poke(c.changed)
	}
	poke(c.writer.wake)
}

func (c *Controller) watched() []*watched {
	return []*watched{c.classes, c.ingresses, c.services, c.secrets, c.namespaces}
}

// Run watches, translates and writes back until ctx ends; nothing else stops it.
func (c *Controller) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, w := range c.watched() {
		running.Go(func() { w.run(ctx, c) })
	}
	running.Go(func() { c.writer.run(ctx, c.desired) })
	defer c.client.close()
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.changed:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(debounce):
		}
		c.translate()
	}
}

// translate hands over what the resources mean, when all of them are known.
func (c *Controller) translate() {
	for _, w := range c.watched() {
		if synced, _ := w.state(); !synced {
			return
		}
	}
	c.mu.Lock()
	s := c.snapshot
	c.mu.Unlock()
	if s == nil {
		return // who owns which host is not known yet
	}
	cfg := c.cfg.Ingress
	cfg.Owners = s.Tenants
	result := ingress.Translate(ingress.Resources{
		Classes:    all[*networkingv1.IngressClass](c.classes),
		Ingresses:  all[*networkingv1.Ingress](c.ingresses),
		Services:   all[*corev1.Service](c.services),
		Secrets:    all[*corev1.Secret](c.secrets),
		Namespaces: all[*corev1.Namespace](c.namespaces),
	}, cfg)
	c.cfg.Set(c.cfg.Cluster.Name, result.Objects)
	result.Objects = nil // they belong to the callback now
	c.mu.Lock()
	first := c.result == nil
	c.result, c.last = &result, time.Now()
	c.mu.Unlock()
	if first {
		c.log.Info("ingresses translated", "ingresses", len(result.Statuses), "problems", len(result.Problems))
	}
	poke(c.writer.wake)
}

// desired is what the cluster should show, and the Ingresses as it shows them now; false
// while that is not known.
func (c *Controller) desired() (d desired, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.result == nil {
		return d, false
	}
	d.statuses = c.result.Statuses
	d.problems = append(slices.Clone(c.result.Problems), c.result.Explain(c.snapshot.Problems)...)
	d.ingresses = all[*networkingv1.Ingress](c.ingresses)
	return d, true
}

// poke leaves a note for whoever waits on ch.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
