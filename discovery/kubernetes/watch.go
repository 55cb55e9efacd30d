package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/sluice-gateway/sluice/discovery"
)

// The pause before a lost cluster is tried again: doubled from the first to the longest,
// and back to the first after a watch that held for steadyWatch.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	steadyWatch  = 10 * time.Second
)

// watch keeps the store in step with the cluster until ctx ends.
func (s *Source) watch(ctx context.Context, st *store) {
	log := s.cfg.Log.With("source", s.Name())
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(log.Handler()))
	opened := func() {
		if st.complete() {
			s.reached()
		}
	}
	silent := func() {
		log.Warn("kubernetes watch said nothing, renewing it", "after", s.cfg.Stall)
		s.update(func(st *discovery.SourceStatus) {
			st.Error = fmt.Sprintf("the watch said nothing for %v and is renewed", s.cfg.Stall)
		})
	}
	// One reflector for all attempts: it knows how far it has come, so that a server which
	// lags behind cannot take it back in time.
	reflector := cache.NewReflectorWithOptions(s.client.listWatch(opened, silent), &discoveryv1.EndpointSlice{},
		&announcingStore{store: st, reached: s.reached}, cache.ReflectorOptions{Name: s.Name()})
	pause := firstPause
	for ctx.Err() == nil {
		started := time.Now()
		whole, cancel := s.cfg.UntilResync(ctx)
		err := cmp.Or(reflector.ListAndWatchWithContext(whole), errors.New("the watch has ended"))
		resync := whole.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		if resync {
			continue // time for a whole list: nothing is lost
		}
		if s.lost(err) {
			log.Warn("kubernetes cluster lost, trying again", "error", err)
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

// announcingStore tells when a complete list has come in: the cluster is reached.
type announcingStore struct {
	*store
	reached func()
}

func (s *announcingStore) Replace(list []any, version string) error {
	err := s.store.Replace(list, version)
	if err == nil {
		s.reached()
	}
	return err
}

func (s *Source) reached() {
	s.update(func(st *discovery.SourceStatus) { st.Up, st.Error = true, "" })
}

// lost notes why the cluster is not followed, and says whether it was until now.
func (s *Source) lost(err error) (was bool) {
	s.update(func(st *discovery.SourceStatus) {
		was = st.Up || st.Error == ""
		st.Up, st.Error = false, fmt.Sprintf("follow EndpointSlices at %s: %v", s.client.server, err)
	})
	return was
}
