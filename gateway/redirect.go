package gateway

import (
	"cmp"
	"slices"
)

// Redirect sends clients elsewhere. What it does not name stays as the client wrote it, the
// query always does.
type Redirect struct {
	// Scheme is http or https. A redirect that names nothing besides it but a port leaves alone
	// requests that came that way, which would come back for ever: they go to the route's upstreams.
	Scheme string `json:"scheme,omitempty"`
	Host   string `json:"host,omitempty"`
	// Port; one that is the scheme's own is left out of the address. Default: that of Scheme
	// if that is set, else the one that the client wrote.
	Port int `json:"port,omitempty"`
	// Path and Prefix are those of [Rewrite].
	Path   string `json:"path,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	// Status is 301, 302, 303, 307 or 308. Default 302.
	Status int `json:"status,omitempty"`
}

// Always says whether every request is redirected, however it came.
func (r *Redirect) Always() bool {
	return r.Scheme == "" || r.Host != "" || r.Path != "" || r.Prefix != ""
}

// RedirectStatuses are those that a redirect may have.
var RedirectStatuses = []int{301, 302, 303, 307, 308}

// redirect returns the usable redirect filter of a route, or nil.
func (b *builder) redirect(r *Route) *Redirect {
	return filterOf(r, func(f *Filter) *Redirect { return f.Redirect },
		func(field string, f *Redirect) *Redirect { return b.usableRedirect(r, field+".redirect", f) },
		onlyFirst[Redirect](b, r, "redirect"))
}

func (b *builder) usableRedirect(r *Route, field string, f *Redirect) *Redirect {
	out := *f
	out.Status = cmp.Or(out.Status, 302)
	if (Redirect{Status: f.Status}) == *f {
		b.broken(r, field, "redirect_invalid", "The filter does not say where to: name a scheme, a host, a port, a path or a prefix.")
	}
	if f.Scheme != "" && f.Scheme != "http" && f.Scheme != "https" {
		b.broken(r, field+".scheme", "redirect_invalid", "The scheme is neither http nor https.")
	}
	if f.Port < 0 || f.Port > 65535 {
		b.broken(r, field+".port", "redirect_invalid", "The port is outside 1 to 65535.")
	}
	if !slices.Contains(RedirectStatuses, out.Status) {
		b.broken(r, field+".status", "redirect_invalid", "The status is none of 301, 302, 303, 307 and 308.")
	}
	b.target(r, field, "redirect_invalid", &out.Path, &out.Prefix, &out.Host)
	return &out
}

// settle decides between filters of a route that answer, and closes it when one of them is
// broken.
func (b *builder) settle(r *Route, e *EffectiveRoute) {
	unused := func(kind, by string) {
		b.report(Problem{Object: r.Ref(), Field: "spec.filters", Code: "filter_unused",
			Message: "The " + by + " filter answers every request of this route, so the " + kind + " filter does nothing: take one of them out."})
	}
	switch {
	case b.brokenRoute:
		e.Respond, e.Redirect, e.Rewrite = &Respond{Status: brokenStatus}, nil, nil
	case e.Respond != nil && e.Redirect != nil && e.Redirect.Always():
		unused("redirect", "respond")
		e.Redirect = nil
	}
	switch {
	case b.brokenRoute || e.Rewrite == nil:
	case e.Respond != nil:
		unused("rewrite", "respond")
		e.Rewrite = nil
	case e.Redirect != nil && e.Redirect.Always():
		unused("rewrite", "redirect")
		e.Rewrite = nil
	}
	if h := e.ResponseHeaders; h != nil && e.Redirect != nil && (h.Set["location"] != "" || slices.Contains(h.Remove, "location")) {
		b.report(Problem{Object: r.Ref(), Field: "spec.filters", Code: "filter_unused",
			Message: "The redirect filter writes Location, so the responseHeaders filter leaves it as it is: take it out there."})
		delete(h.Set, "location")
		h.Remove = slices.DeleteFunc(h.Remove, func(name string) bool { return name == "location" })
	}
	b.brokenRoute = false
}
