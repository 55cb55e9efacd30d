package nginxconf

import (
	"slices"
	"strings"
)

// entry is a directive in the comparison of two lists.
type entry struct {
	d *Directive
	// class says which order it is in, norm is its normal form, label names a block, and
	// field and single are what a changed directive has in common with what it was.
	class, norm, head, label, field, single string
	done                                    bool
}

func sequence(n *normaliser, parent *Directive, list []*Directive, includes bool) []*entry {
	out, classes, labels := make([]*entry, len(list)), classesOf(parent, list, includes), n.labels(list)
	for i, d := range list {
		e := &entry{d: d, class: classes[i], norm: n.directive(d), head: n.head(d), label: labels[i]}
		name := d.Name()
		endpoint := name == "server" && d.Block == nil
		switch {
		case d.Block != nil && d.Block.IsLua:
			e.field = name
		case d.Block == nil:
			if len(d.Words) > 2 || endpoint && len(d.Words) > 1 {
				e.field = name + " " + strings.ToLower(n.places.Name(d.Words[1].Value))
			}
			if !byField[name] && !repeatable[name] && !endpoint {
				e.single = name
			}
		}
		out[i] = e
	}
	return out
}

func classNames(lists ...[]*entry) []string {
	var out []string
	for _, list := range lists {
		for _, e := range list {
			out = append(out, e.class)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func ofClass(list []*entry, class string) (out []*entry) {
	for _, e := range list {
		if e.class == class {
			out = append(out, e)
		}
	}
	return out
}

// matchAny takes equal directives off both lists, wherever they stand.
func matchAny(a, b []*entry) {
	byNorm := map[string][]*entry{}
	for _, e := range b {
		byNorm[e.norm] = append(byNorm[e.norm], e)
	}
	for _, e := range a {
		if list := byNorm[e.norm]; len(list) > 0 {
			e.done, list[0].done = true, true
			byNorm[e.norm] = list[1:]
		}
	}
}

// matchInOrder takes the longest common subsequence off both lists.
func matchInOrder(a, b []*entry) {
	for len(a) > 0 && len(b) > 0 && a[0].norm == b[0].norm {
		a[0].done, b[0].done = true, true
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1].norm == b[len(b)-1].norm {
		a[len(a)-1].done, b[len(b)-1].done = true, true
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	// Lists that differ all over are rare and may be huge: then only what is left at the
	// ends is known to be in order.
	const most = 4 << 20
	if len(a) == 0 || len(b) == 0 || len(a)*len(b) > most {
		return
	}
	longest := make([][]int32, len(a)+1)
	for i := range longest {
		longest[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i].norm == b[j].norm {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i].norm == b[j].norm:
			a[i].done, b[j].done = true, true
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
}
