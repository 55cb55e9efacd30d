package gateway

import (
	"cmp"
	"slices"
)

// The precedence of a place whose spec names none, by the kind of its source.
var (
	precedenceDNS        = 10
	precedenceKubernetes = 20
	precedenceEtcd       = 30
	precedenceManual     = 40
)

const maxPrecedence = 1000

// precedence of the places of a kind by default; nil: the kind is not known.
func (k SourceKind) precedence() *int {
	switch k {
	case SourceManual:
		return &precedenceManual
	case SourceEtcd:
		return &precedenceEtcd
	case SourceKubernetes:
		return &precedenceKubernetes
	case SourceDNS:
		return &precedenceDNS
	}
	return nil
}

// trait is what the spec of an upstream says of one place.
type trait struct {
	entry      int // of spec.discover; -1: none, which endpoints by hand do not need
	rank       int // decides between equal precedences: the one of the kind
	precedence int
	priority   *int // of all endpoints; nil: as the source says
	weight     *int // nil: none that can be used
	spoilt     bool // there is a weight that can't be used
}

// traitsOf reads what the spec says of each place, or gives nil when it names none but the
// endpoints by hand. Values that can't be used are left aside, and [upstreamChecker.places]
// tells of them.
func traitsOf(u *Upstream) map[SetKey]trait {
	if len(u.Spec.Discover) == 0 {
		return nil
	}
	key := u.Key()
	out := make(map[SetKey]trait, len(u.Spec.Discover)+1)
	for i, d := range u.Spec.Discover {
		k := d.SetKey(key)
		if _, again := out[k]; again || d.check() != nil {
			continue
		}
		usual := k.Source.precedence()
		t := trait{entry: i, rank: *usual, precedence: *within(d.Precedence, usual, maxPrecedence), weight: within(d.Weight, nil, maxWeight)}
		t.spoilt = d.Weight != nil && t.weight == nil
		if d.Priority != nil && *d.Priority >= 0 {
			t.priority = d.Priority
		}
		out[k] = t
	}
	hand := SetKey{Upstream: key, Source: SourceManual}
	if _, named := out[hand]; !named {
		out[hand] = trait{entry: -1, rank: precedenceManual, precedence: precedenceManual}
	}
	return out
}

// within is v, or def when v is nil or outside 0 to most.
func within(v, def *int, most int) *int {
	if v == nil || *v < 0 || *v > most {
		return def
	}
	return v
}

// wanted keeps the sets that the upstream asks for now, strongest first; between equals the
// kinds decide, and then the order of the spec.
func wanted(u *Upstream, sets []EndpointSet, traits map[SetKey]trait) []EndpointSet {
	hand := SetKey{Upstream: u.Key(), Source: SourceManual}
	if traits == nil && len(sets) == 1 && sets[0].SetKey == hand {
		return sets // as most are
	}
	var out []EndpointSet
	for _, s := range sets {
		if _, asked := traits[s.SetKey]; asked || s.SetKey == hand {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(x, y EndpointSet) int {
		a, b := traits[x.SetKey], traits[y.SetKey]
		return cmp.Or(cmp.Compare(b.precedence, a.precedence), cmp.Compare(b.rank, a.rank), cmp.Compare(a.entry, b.entry))
	})
	return out
}

// places keeps the entries that can be followed, with their precedence filled in.
func (c *upstreamChecker) places(discover []Discover, traits map[SetKey]trait) {
	for i, d := range discover {
		field := index("spec.discover", i)
		if err := d.check(); err != nil {
			c.problem(field, "discover_invalid", "%s The entry is left out.", sentence(err))
			continue
		}
		k := d.SetKey(c.out.Key)
		t := traits[k]
		if t.entry == i {
			c.checkTraits(field, d, *k.Source.precedence())
		} else if o := discover[t.entry]; !equal(d.Precedence, o.Precedence) || !equal(d.Weight, o.Weight) || !equal(d.Priority, o.Priority) {
			c.problem(field, "place_twice", "It names the place of spec.discover[%d], whose precedence, weight and priority count: delete one of the two.", t.entry)
		}
		d.Precedence, d.Weight, d.Priority = within(discover[t.entry].Precedence, k.Source.precedence(), maxPrecedence), t.weight, t.priority
		c.out.Discover = append(c.out.Discover, d)
	}
}

func (c *upstreamChecker) checkTraits(field string, d Discover, usual int) {
	if p := d.Precedence; p != nil && within(p, nil, maxPrecedence) == nil {
		c.problem(field+".precedence", "precedence_invalid", "Precedence %d is outside 0 to %d, so the default %d is in force.", *p, maxPrecedence, usual)
	}
	if w := d.Weight; w != nil && within(w, nil, maxWeight) == nil {
		c.problem(field+".weight", "weight_invalid", "Weight %d is outside 0 to %d, so no weight of a place is in force.", *w, maxWeight)
	}
	if p := d.Priority; p != nil && *p < 0 {
		c.problem(field+".priority", "priority_invalid", "Priority %d is negative, so what the source says counts.", *p)
	}
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }

// dividing says whether the weights of places count. They do when every place has one: what
// a place without one should get could only be guessed.
func (c *upstreamChecker) dividing(u *Upstream, traits map[SetKey]trait) bool {
	declared, spoilt := false, false
	var missing []trait
	for k, t := range traits {
		switch {
		case t.weight != nil:
			declared = true
		case t.spoilt:
			spoilt = true
		case k.Source != SourceManual || len(u.Spec.Endpoints) > 0:
			missing = append(missing, t)
		}
	}
	if !declared && !spoilt {
		return false
	}
	for _, t := range missing {
		if t.entry >= 0 {
			c.problem(index("spec.discover", t.entry)+".weight", "weight_missing",
				"Other places of this upstream have a weight and this one has none, so none of them is in force: give it one, or take those of the others away.")
		} else {
			c.problem("spec.discover", "weight_missing",
				"Places of this upstream have a weight and the endpoints by hand have none, so none of them is in force: add {manual: {}, weight: N} for these.")
		}
	}
	return !spoilt && len(missing) == 0
}
