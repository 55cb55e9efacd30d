package control

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Copy is what the loop decides from at this moment.
func (l *Loop) Copy() Copy {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := Copy{SavedAt: time.Now().UTC(), Objects: slices.Collect(maps.Values(l.in.objects))}
	for _, of := range l.in.sets {
		c.Sets = slices.AppendSeq(c.Sets, maps.Values(of))
	}
	return c
}

// Restore begins with a copy: its stored objects unless some have come already, what sources
// have made of theirs, and its endpoints for every place that has not been heard of. What comes
// later replaces it.
func (l *Loop) Restore(c Copy) {
	stored := l.RestoreDerived(c.Objects)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && len(stored) > 0 {
		for _, o := range l.derived.join(stored) {
			l.in.objects[o.Head().Ref()] = o
		}
		l.started = true
	}
	for _, s := range c.Sets {
		if _, heard := l.in.sets[s.Upstream][s.SetKey]; !heard {
			l.in.setEndpoints(s)
		}
	}
	l.full = true
	l.poke()
}

// keepPause is how long a change waits for the copy that has it: a rolling restart of a large
// service is written a few times and not at each of its steps, and the writing, which takes a
// tenth of a second of CPU at 10,000 hosts, does not compete with the change itself. The first
// copy does not wait.
const keepPause = 5 * time.Second

// Keep writes a copy to the file after changes of what it holds, until ctx ends, and a last one
// then. Begin when the inputs are complete: half of them would replace a good copy. failed
// hears of a copy that can not be written, and nil when one can again.
func (l *Loop) Keep(ctx context.Context, name string, failed func(error)) error {
	snapshots, cancel := l.Subscribe()
	defer cancel()
	kept, broken := "", false
	write := func() {
		digest := l.Snapshot().Digest
		if digest == kept {
			return
		}
		err := l.Copy().Write(name)
		if err == nil {
			kept = digest
		}
		if err != nil || broken {
			failed(err)
		}
		broken = err != nil
	}
	for pause := time.Duration(0); ; pause = keepPause {
		select {
		case <-ctx.Done():
			write()
			return nil
		case <-snapshots:
		}
		select {
		case <-ctx.Done():
			write()
			return nil
		case <-time.After(pause):
		}
		write()
	}
}
