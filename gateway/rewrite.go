package gateway

import "strings"

// Rewrite changes what an upstream is asked for. The query stays.
type Rewrite struct {
	// Path is asked for in the place of the whole path. At most one of Path and Prefix is set.
	Path string `json:"path,omitempty"`
	// Prefix stands in the place of the prefix that the rule matched: with "/v2" for "/api",
	// /api/x becomes /v2/x. "/" takes the prefix away. An exact path is its own prefix.
	Prefix string `json:"prefix,omitempty"`
	// Host is the name that the upstream is asked for, without a port. X-Forwarded-Host
	// still is the client's.
	Host string `json:"host,omitempty"`
}

// rewrite returns the usable rewrite filter of a route, or nil.
func (b *builder) rewrite(r *Route) *Rewrite {
	return filterOf(r, func(f *Filter) *Rewrite { return f.Rewrite },
		func(field string, f *Rewrite) *Rewrite {
			out := *f
			if out.Path+out.Prefix+out.Host == "" {
				b.broken(r, field+".rewrite", "rewrite_invalid", "The filter says neither a path, nor a prefix, nor a host.")
			}
			b.target(r, field+".rewrite", "rewrite_invalid", &out.Path, &out.Prefix, &out.Host)
			return &out
		},
		onlyFirst[Rewrite](b, r, "rewrite"))
}

// target brings what a rewrite or a redirect leads to into its normal form: a prefix has no
// slash at its end but for "/" itself.
func (b *builder) target(r *Route, field, code string, path, prefix, host *string) {
	if *path != "" && *prefix != "" {
		b.broken(r, field, code, "The filter has both a path and a prefix: keep one of them.")
	}
	for _, p := range []struct {
		name  string
		value *string
	}{{".path", path}, {".prefix", prefix}} {
		if *p.value != "" {
			if err := checkPath(*p.value); err != nil {
				b.broken(r, field+p.name, code, sentence(err))
			}
		}
	}
	if *prefix != "/" {
		*prefix = strings.TrimSuffix(*prefix, "/")
	}
	if *host == "" {
		return
	}
	name, err := NormalHost(*host)
	if err == nil && strings.HasPrefix(name, "*") {
		b.broken(r, field+".host", code, "The host is a wildcard: write one name.")
	} else if err != nil {
		b.broken(r, field+".host", code, sentence(err))
	}
	*host = name
}

// broken reports a filter without which requests would go somewhere else than they are meant
// to: the route answers brokenStatus until it is settled.
func (b *builder) broken(r *Route, field, code, message string) {
	b.report(Problem{Object: r.Ref(), Field: field, Code: code, Message: message + " The route answers 500 until this is settled."})
	b.brokenRoute = true
}
