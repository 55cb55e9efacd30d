package kubernetes

import (
	"fmt"
	"sync"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// store is where the reflector puts what it watches: every Service's slices, and which
// Services have changed since the last look. A Service's map of slices is never changed
// once it was handed out; it is replaced.
type store struct {
	changed chan struct{} // one slot: there is something to look at
	event   func()        // called for each event

	mu      sync.Mutex
	synced  bool // the first list is complete
	all     bool // everything may have changed
	dirty   map[types.NamespacedName]bool
	bySlice map[types.NamespacedName]types.NamespacedName // slice to Service
	slices  map[types.NamespacedName]map[string]*slice    // Service to slices by name
}

var _ cache.TransformingStore = (*store)(nil)

func newStore(event func()) *store {
	return &store{
		changed: make(chan struct{}, 1), event: event,
		dirty:   map[types.NamespacedName]bool{},
		bySlice: map[types.NamespacedName]types.NamespacedName{},
		slices:  map[types.NamespacedName]map[string]*slice{},
	}
}

// Transformer makes the reflector keep only what we need while it collects a list.
func (s *store) Transformer() cache.TransformFunc { return strip }

// Add takes a slice that is new.
func (s *store) Add(obj any) error { return s.Update(obj) }

// Update takes a slice that has changed.
func (s *store) Update(obj any) error {
	es, err := endpointSlice(obj)
	if err != nil {
		return err
	}
	kept := compact(es)
	s.mu.Lock()
	defer s.mu.Unlock()
	if of, ok := service(es); !ok || s.bySlice[key(es)] != of {
		s.remove(key(es)) // it belonged to another Service, or belongs to none now
		if !ok {
			s.tell()
			return nil
		}
	}
	s.put(es, kept)
	s.tell()
	return nil
}

// Delete takes a slice that is gone.
func (s *store) Delete(obj any) error {
	es, err := endpointSlice(obj)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key(es))
	s.tell()
	return nil
}

// Replace takes a complete list. Readers see the old one or the new one, nothing between.
func (s *store) Replace(list []any, _ string) error {
	fresh := newStore(nil)
	for _, obj := range list {
		es, err := endpointSlice(obj)
		if err != nil {
			return err
		}
		if _, ok := service(es); ok {
			fresh.put(es, compact(es))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySlice, s.slices = fresh.bySlice, fresh.slices
	s.synced, s.all = true, true
	s.tell()
	return nil
}

// Resync does nothing: nothing is derived from the slices here that could be lost.
func (s *store) Resync() error { return nil }

// put and remove are called with mu held.
func (s *store) put(es *discoveryv1.EndpointSlice, kept *slice) {
	of, _ := service(es)
	list := make(map[string]*slice, len(s.slices[of])+1)
	for name, other := range s.slices[of] {
		list[name] = other
	}
	list[es.Name] = kept
	s.slices[of], s.bySlice[key(es)], s.dirty[of] = list, of, true
}

func (s *store) remove(k types.NamespacedName) {
	of, ok := s.bySlice[k]
	if !ok {
		return
	}
	delete(s.bySlice, k)
	s.dirty[of] = true
	list := make(map[string]*slice, len(s.slices[of]))
	for name, other := range s.slices[of] {
		if name != k.Name {
			list[name] = other
		}
	}
	if len(list) == 0 {
		delete(s.slices, of)
		return
	}
	s.slices[of] = list
}

func (s *store) tell() {
	s.event()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// take returns which Services have changed since the last call. Until the first list is
// complete nothing has.
func (s *store) take() (all bool, dirty map[types.NamespacedName]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.synced {
		return false, nil
	}
	all, dirty = s.all, s.dirty
	s.all, s.dirty = false, map[types.NamespacedName]bool{}
	return all, dirty
}

// get returns the slices of a Service; false when the first list is not complete.
func (s *store) get(of types.NamespacedName) (map[string]*slice, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slices[of], s.synced
}

// complete says whether there was a complete list.
func (s *store) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced
}

func key(s *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

func endpointSlice(obj any) (*discoveryv1.EndpointSlice, error) {
	s, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return nil, fmt.Errorf("expected an EndpointSlice, got %T", obj)
	}
	return s, nil
}
