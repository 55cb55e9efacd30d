package gateway

import "fmt"

// Mirror copies requests of a route to another upstream of the tenant. Its answers are thrown
// away, and clients notice nothing of it.
type Mirror struct {
	Upstream string `json:"upstream"`
	// Percent of the requests that are copied, 0 to 100. Default 100.
	Percent *int `json:"percent,omitempty"`
}

// EffectiveMirror is a mirror that can be used.
type EffectiveMirror struct {
	Upstream UpstreamKey `json:"upstream"`
	Percent  int         `json:"percent"` // 1 to 100
}

// MirrorHeader is 1 in every copy of a request, by which the endpoint tells it from a client's
// own.
const MirrorHeader = "X-Sluice-Mirror"

// mirror returns the usable mirror of a route whose other filters are settled, or nil.
func (b *builder) mirror(r *Route, e *EffectiveRoute) (out *EffectiveMirror) {
	filterOf(r, func(f *Filter) *Mirror { return f.Mirror }, func(field string, m *Mirror) *Mirror {
		out = b.usableMirror(r, field+".mirror.", m)
		return m
	}, onlyFirst[Mirror](b, r, "mirror"))
	if out != nil && e.AnswersItself() {
		b.report(Problem{Object: r.Ref(), Field: "spec.filters", Code: "target_unused",
			Message: "Another filter answers every request of this route, so nothing is mirrored: take out one of the two."})
		return nil
	}
	return out
}

func (b *builder) usableMirror(r *Route, field string, m *Mirror) *EffectiveMirror {
	out := &EffectiveMirror{Upstream: UpstreamKey{r.Tenant, m.Upstream}, Percent: 100}
	if b.upstream(out.Upstream) == nil {
		b.report(Problem{Object: r.Ref(), Field: field + "upstream", Code: "upstream_unknown",
			Message: fmt.Sprintf("Tenant %q has no upstream %q, so nothing is mirrored: create the Upstream or correct the name.", r.Tenant, m.Upstream)})
		return nil
	}
	if m.Percent != nil {
		out.Percent = limitChecker{b, r, field}.within("percent", *m.Percent, 0, 100)
	}
	if out.Percent == 0 {
		return nil
	}
	return out
}
