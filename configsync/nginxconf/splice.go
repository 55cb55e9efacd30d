package nginxconf

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Splice writes the file at path with those of the edits from old to edited that keep accepts
// made to base, a later or another version of old. What base already has is no conflict; an
// edit whose place or directive base does not have any more is one, and is left out.
//
// With base equal to old, keeping all gives edited and keeping none gives base, byte for byte.
func Splice(path string, base, old, edited Side, keep func(gateway.Hunk) bool) (text string, conflicts []gateway.Hunk) {
	var kept []difference
	all := true
	for _, d := range compare(path, old, edited) {
		if keep(d.hunk) {
			kept = append(kept, d)
		} else {
			all = false
		}
	}
	switch {
	case len(kept) == 0:
		return base.Text, nil
	case all && base.Text == old.Text:
		return edited.Text, nil
	}
	// What names a server comes last: the others look for it by the name that it has.
	slices.SortStableFunc(kept, func(a, b difference) int { return boolInt(names(a.hunk)) - boolInt(names(b.hunk)) })
	// The tree of base is changed below, and the caller still owns it.
	s := splicer{base: NewSide(path, base.Text, base.Places), edited: normaliser{edited.Places, map[*Directive]string{}}}
	for _, d := range kept {
		if s.base.config == nil || !d.hunk.Meaning() || d.hunk.Change == gateway.HunkUnreadable || !s.splice(d) {
			conflicts = append(conflicts, d.hunk)
		}
	}
	if s.base.config == nil {
		return base.Text, conflicts
	}
	return s.base.config.String(), conflicts
}

func names(h gateway.Hunk) bool { return h.Directive == "server_name" || h.Directive == "listen" }

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

type splicer struct {
	base   Side
	edited normaliser
}

// splice makes one edit and says whether it could.
func (s *splicer) splice(d difference) bool {
	n := normaliser{s.base.Places, map[*Directive]string{}} // anew: edits change what it knows
	list, ok := s.block(&n, d.hunk.Where)
	if !ok {
		return false
	}
	has := func(norm string) int {
		return slices.IndexFunc(*list, func(x *Directive) bool { return n.directive(x) == norm })
	}
	switch d.hunk.Change {
	case gateway.HunkRemoved:
		if i := has(d.oldNorm); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
		return true
	case gateway.HunkChanged:
		if has(d.newNorm) >= 0 {
			return true
		}
		i := has(d.oldNorm)
		if i < 0 {
			return false
		}
		(*list)[i] = s.translated(d.new, (*list)[i].Words[0].Before)
		return true
	case gateway.HunkAdded:
		count := 0
		for _, x := range d.siblings {
			if s.edited.directive(x) == d.newNorm {
				count++
			}
		}
		for _, x := range *list {
			if n.directive(x) == d.newNorm {
				count--
			}
		}
		if count <= 0 {
			return true
		}
		if s.contradicts(*list, d.new) {
			return false
		}
	case gateway.HunkMoved:
		i := has(d.oldNorm)
		if i < 0 {
			return false
		}
		*list = slices.Delete(*list, i, i+1)
	}
	at := s.after(&n, *list, d)
	*list = slices.Insert(*list, at, s.translated(d.new, d.new.Words[0].Before))
	return true
}

// contradicts says that base has a directive of its own where the edit adds one, and nginx
// takes one only.
func (s *splicer) contradicts(list []*Directive, added *Directive) bool {
	name := added.Name()
	if added.Block != nil || repeatable[name] || byField[name] || free[name] || classes[name] != "" {
		return false
	}
	return slices.ContainsFunc(list, func(x *Directive) bool { return x.Name() == name })
}

// block finds the list of directives in the blocks of where.
func (s *splicer) block(n *normaliser, where []string) (*[]*Directive, bool) {
	list := &s.base.config.Directives
	for _, label := range where {
		i := slices.Index(n.labels(*list), label)
		if i < 0 {
			return nil, false
		}
		list = &(*list)[i].Block.Directives
	}
	return list, true
}

// after is the index behind the nearest directive in front of the edit that base has, too.
func (s *splicer) after(n *normaliser, list []*Directive, d difference) int {
	at := slices.Index(d.siblings, d.new)
	for i := at - 1; i >= 0; i-- {
		norm := s.edited.directive(d.siblings[i])
		if j := slices.IndexFunc(list, func(x *Directive) bool { return n.directive(x) == norm }); j >= 0 {
			return j + 1
		}
	}
	if at > 0 {
		return len(list)
	}
	return 0
}

// translated is a directive of the edited file with base's own values in it.
func (s *splicer) translated(d *Directive, before string) *Directive {
	text := s.base.Places.Fill(s.edited.places.Name(d.text()))
	c, err := Parse("edit", text)
	if err != nil || len(c.Directives) != 1 {
		return d // a value that is no word: better as it was written
	}
	if !strings.ContainsAny(before, " \t\r\n") {
		before = "\n" + before
	}
	c.Directives[0].Words[0].Before = before
	return c.Directives[0]
}
