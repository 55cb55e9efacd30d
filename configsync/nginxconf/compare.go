package nginxconf

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
)

// Compare lists how the file at path differs from old to new, one hunk for each directive,
// in the order of the lines. What means nothing to nginx is one hunk of its own kind,
// [gateway.HunkText], when nothing else differs. A side without a file is the empty text.
func Compare(path string, old, new Side) []gateway.Hunk {
	var out []gateway.Hunk
	for _, d := range compare(path, old, new) {
		out = append(out, d.hunk)
	}
	return out
}

// difference is a hunk with its place in both trees.
type difference struct {
	hunk             gateway.Hunk
	oldNorm, newNorm string
	old, new         *Directive // nil where there is none
	siblings         []*Directive
}

// comparer compares two files.
type comparer struct {
	path     string
	old, new normaliser
	out      []difference
}

func compare(path string, old, new Side) []difference {
	if old.Text == new.Text {
		return nil
	}
	c := &comparer{path: old.Places.Name(path), old: normaliser{old.Places, map[*Directive]string{}}, new: normaliser{new.Places, map[*Directive]string{}}}
	if c.path == path {
		c.path = new.Places.Name(path)
	}
	switch {
	case old.config == nil || new.config == nil:
		c.whole(gateway.HunkUnreadable, old, new)
	default:
		c.lists(nil, nil, nil, old.config.Directives, new.config.Directives)
		if len(c.out) == 0 && old.Places.Name(old.Text) != new.Places.Name(new.Text) {
			c.whole(gateway.HunkText, old, new)
		}
	}
	c.finish(path)
	return c.out
}

// whole is the one hunk of files that differ as a whole.
func (c *comparer) whole(change gateway.HunkChange, old, new Side) {
	d := difference{hunk: gateway.Hunk{Change: change}, oldNorm: fingerprintOf(old.Places.Name(old.Text)), newNorm: fingerprintOf(new.Places.Name(new.Text))}
	if change == gateway.HunkUnreadable {
		d.hunk.Old, d.hunk.New = old.Text, new.Text
	}
	c.out = append(c.out, d)
}

// finish gives every hunk its identity and brings them into the order of the lines.
func (c *comparer) finish(path string) {
	slices.SortStableFunc(c.out, func(a, b difference) int {
		return cmp.Compare(max(a.hunk.NewLine, a.hunk.OldLine), max(b.hunk.NewLine, b.hunk.OldLine))
	})
	seen := map[string]int{}
	for i := range c.out {
		d := &c.out[i]
		d.hunk.Path = path
		parts := append([]string{c.path, string(d.hunk.Change), d.oldNorm, d.newNorm}, d.hunk.Where...)
		d.hunk.ID = fingerprintOf(parts...)
		// The same change twice in one block.
		if seen[d.hunk.ID]++; seen[d.hunk.ID] > 1 {
			d.hunk.ID = fingerprintOf(append(parts, strconv.Itoa(seen[d.hunk.ID]))...)
		}
	}
}

// lists compares what stands in two blocks, or in two files.
func (c *comparer) lists(where []string, oldParent, newParent *Directive, old, new []*Directive) {
	includes := hasInclude(old) || hasInclude(new)
	left := sequence(&c.old, oldParent, old, includes)
	right := sequence(&c.new, newParent, new, includes)
	for _, class := range classNames(left, right) {
		a, b := ofClass(left, class), ofClass(right, class)
		if class == "" {
			matchAny(a, b)
		} else {
			matchInOrder(a, b)
		}
	}
	// Each step pairs what the steps before have left: the same text elsewhere, the same
	// block, the same header, the same name.
	c.pair(where, left, right, new, gateway.HunkMoved, func(x *entry) string { return x.norm })
	c.blocks(where, left, right, func(x *entry) string { return x.label })
	c.blocks(where, left, right, func(x *entry) string { return x.head })
	c.pair(where, left, right, new, gateway.HunkChanged, func(x *entry) string { return x.field })
	c.pair(where, left, right, new, gateway.HunkChanged, func(x *entry) string { return x.single })
	c.rest(where, left, right, new)
}

// blocks compares the blocks of the same label with each other; the last step takes a server
// whose name was changed for the same one.
func (c *comparer) blocks(where []string, left, right []*entry, key func(*entry) string) {
	for _, a := range left {
		if a.done || a.label == "" || a.d.Block.IsLua {
			continue
		}
		for _, b := range right {
			if !b.done && b.label != "" && key(b) == key(a) && !b.d.Block.IsLua {
				a.done, b.done = true, true
				c.lists(append(where[:len(where):len(where)], a.label), a.d, b.d, a.d.Block.Directives, b.d.Block.Directives)
				break
			}
		}
	}
}

// pair makes hunks of those that have the same key; an empty key has no pair.
func (c *comparer) pair(where []string, left, right []*entry, siblings []*Directive, change gateway.HunkChange, key func(*entry) string) {
	byKey := map[string][]*entry{}
	for _, b := range right {
		if k := key(b); !b.done && k != "" {
			byKey[k] = append(byKey[k], b)
		}
	}
	for _, a := range left {
		k := key(a)
		if a.done || k == "" || len(byKey[k]) == 0 {
			continue
		}
		b := byKey[k][0]
		byKey[k] = byKey[k][1:]
		a.done, b.done = true, true
		c.add(where, change, a, b, siblings)
	}
}

// rest is what only one side has.
func (c *comparer) rest(where []string, left, right []*entry, siblings []*Directive) {
	for _, a := range left {
		if !a.done {
			c.add(where, gateway.HunkRemoved, a, nil, siblings)
		}
	}
	for _, b := range right {
		if !b.done {
			c.add(where, gateway.HunkAdded, nil, b, siblings)
		}
	}
}

func (c *comparer) add(where []string, change gateway.HunkChange, a, b *entry, siblings []*Directive) {
	d := difference{hunk: gateway.Hunk{Where: where, Change: change}, siblings: siblings}
	if a != nil {
		d.old, d.oldNorm = a.d, a.norm
		d.hunk.Directive, d.hunk.Old, d.hunk.OldLine = a.d.Name(), a.d.text(), a.d.Line()
	}
	if b != nil {
		d.new, d.newNorm = b.d, b.norm
		d.hunk.Directive, d.hunk.New, d.hunk.NewLine = b.d.Name(), b.d.text(), b.d.Line()
	}
	c.out = append(c.out, d)
}

// text is the directive as written, without what stands in front of it.
func (d *Directive) text() string {
	bare := *d
	bare.Words = slices.Clone(d.Words)
	bare.Words[0].Before = ""
	return (&Config{Directives: []*Directive{&bare}}).String()
}
