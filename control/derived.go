package control

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// derived are objects that were not written by people but follow from something else, such
// as the Ingresses of a cluster. They join the store's objects; where both have one of a
// name, the stored one counts. The holder of Loop.mu owns it.
type derived struct {
	sources map[string]map[gateway.Ref]gateway.Object
	stored  map[gateway.Ref]bool // what the store has
}

// youngest is the age of derived objects, by which they are also known in a local copy.
const youngest = math.MaxInt64

// SetDerived replaces the objects that source has made, and takes them over: the caller does
// not touch them again. Of two sources that make the same object, the one whose name sorts
// first counts. Derived objects are younger than all that are stored, so they leave hosts and
// paths to those.
func (l *Loop) SetDerived(source string, objects []gateway.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if changes := l.derived.replace(source, objects); l.started && len(changes) > 0 {
		l.apply(changes)
	}
}

// DerivedOf are those of the objects that a source has made, as a local copy holds them beside
// the stored ones.
func DerivedOf(objects []gateway.Object) []gateway.Object {
	var out []gateway.Object
	for _, o := range objects {
		if o.Head().CreatedRevision == youngest {
			out = append(out, o)
		}
	}
	return out
}

// RestoreDerived takes what sources have made in an earlier process out of objects, and returns
// the others. It is in force until its source calls SetDerived.
func (l *Loop) RestoreDerived(objects []gateway.Object) (stored []gateway.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := map[string][]gateway.Object{}
	for _, o := range objects {
		if m := o.Head(); m.CreatedRevision == youngest {
			of[m.CreatedBy] = append(of[m.CreatedBy], o)
		} else {
			stored = append(stored, o)
		}
	}
	for source, made := range of {
		if _, spoken := l.derived.sources[source]; spoken {
			continue
		}
		if changes := l.derived.replace(source, made); l.started && len(changes) > 0 {
			l.apply(changes)
		}
	}
	return stored
}

// KeepDerived forgets what sources have made that are not among the given ones: what was
// restored for a cluster that is configured no more.
func (l *Loop) KeepDerived(sources []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, source := range slices.Collect(maps.Keys(l.derived.sources)) {
		if slices.Contains(sources, source) {
			continue
		}
		changes := l.derived.replace(source, nil)
		delete(l.derived.sources, source)
		if l.started && len(changes) > 0 {
			l.apply(changes)
		}
	}
}

// Derived is the derived object of that name when it is in force, and nil when there is none or
// the store has one of its own. It is only read.
func (l *Loop) Derived(ref gateway.Ref) gateway.Object {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.derived.stored[ref] {
		return nil
	}
	_, o := l.derived.of(ref)
	return o
}

// DerivedObjects are all derived objects that are in force, sorted. They are only read.
func (l *Loop) DerivedObjects() []gateway.Object {
	l.mu.Lock()
	var out []gateway.Object
	for _, of := range l.derived.sources {
		for ref, o := range of {
			if _, first := l.derived.of(ref); first == o && !l.derived.stored[ref] {
				out = append(out, o)
			}
		}
	}
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b gateway.Object) int { return a.Head().Ref().Compare(b.Head().Ref()) })
	return out
}

// DerivedProblems tells of derived objects that are not in force.
func (l *Loop) DerivedProblems() []gateway.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []gateway.Problem
	for source, of := range l.derived.sources {
		for ref := range of {
			by := "the stored object of that name counts"
			if !l.derived.stored[ref] {
				winner, _ := l.derived.of(ref)
				if winner == source {
					continue
				}
				by = fmt.Sprintf("that of %s counts", winner)
			}
			out = append(out, gateway.Problem{Object: ref, Code: "derived_unused", Source: source,
				Message: fmt.Sprintf("%s makes this object, too, but %s: delete or rename one of them.", source, by)})
		}
	}
	slices.SortFunc(out, gateway.Problem.Compare)
	return out
}

// of is the derived object of that name, and its source.
func (d *derived) of(ref gateway.Ref) (source string, o gateway.Object) {
	for name, of := range d.sources {
		if other := of[ref]; other != nil && (o == nil || name < source) {
			source, o = name, other
		}
	}
	return source, o
}

// replace takes what a source has made, and returns what changes by it for objects that the
// store does not have.
func (d *derived) replace(source string, objects []gateway.Object) []gateway.Change {
	before := map[gateway.Ref]gateway.Object{}
	now := make(map[gateway.Ref]gateway.Object, len(objects))
	for _, o := range objects {
		m := o.Head()
		m.CreatedRevision, m.CreatedBy = youngest, source
		if m.DerivedFrom == nil {
			m.DerivedFrom = &gateway.DerivedFrom{Source: source}
		}
		now[o.Head().Ref()] = o
	}
	for ref := range d.sources[source] {
		_, before[ref] = d.of(ref)
	}
	for ref := range now {
		_, before[ref] = d.of(ref)
	}
	if d.sources == nil {
		d.sources = map[string]map[gateway.Ref]gateway.Object{}
	}
	for ref, old := range d.sources[source] {
		if reflect.DeepEqual(old, now[ref]) {
			now[ref] = old // the same pointer: whoever compares those sees that nothing has changed
		}
	}
	d.sources[source] = now
	var changes []gateway.Change
	for _, ref := range slices.SortedFunc(maps.Keys(before), gateway.Ref.Compare) {
		if _, after := d.of(ref); after != before[ref] && !d.stored[ref] {
			changes = append(changes, gateway.Change{Ref: ref, Object: after})
		}
	}
	return changes
}

// join adds what is derived to a whole set of stored objects.
func (d *derived) join(stored []gateway.Object) []gateway.Object {
	d.stored = make(map[gateway.Ref]bool, len(stored))
	for _, o := range stored {
		d.stored[o.Head().Ref()] = true
	}
	all := slices.Clip(stored)
	for _, of := range d.sources {
		for ref := range of {
			if _, o := d.of(ref); !d.stored[ref] && o == of[ref] {
				all = append(all, o)
			}
		}
	}
	return all
}

// over turns changes of stored objects into changes of all objects: what is deleted from the
// store may be derived. With try the changes are only tried.
func (d *derived) over(changes []gateway.Change, try bool) []gateway.Change {
	out := slices.Clone(changes)
	for i, c := range out {
		if c.Object == nil {
			_, out[i].Object = d.of(c.Ref)
		}
		switch {
		case try:
		case c.Object == nil:
			delete(d.stored, c.Ref)
		default:
			if d.stored == nil {
				d.stored = map[gateway.Ref]bool{}
			}
			d.stored[c.Ref] = true
		}
	}
	return out
}
