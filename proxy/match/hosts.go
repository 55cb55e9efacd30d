package match

import (
	"bytes"
	"strings"
)

// Hosts finds a value by host. It is built by Add and only read after that.
type Hosts[T any] struct {
	exact    map[string]T
	wildcard map[string]T // by what follows "*"
	any      T
	hasAny   bool
}

// Add adds a host in lower case: a name, "*.example.com" (one label or more) or "*".
func (h *Hosts[T]) Add(name string, v T) {
	if h.exact == nil {
		h.exact, h.wildcard = map[string]T{}, map[string]T{}
	}
	suffix, wild := strings.CutPrefix(name, "*")
	switch {
	case !wild:
		h.exact[name] = v
	case suffix == "":
		h.any, h.hasAny = v, true
	default:
		h.wildcard[suffix] = v
	}
}

// Find returns the value for a request's host without its port; the case and a dot at the
// end make no difference. An empty host finds "*" only. host is changed to lower case in
// scratch when needed.
func (h *Hosts[T]) Find(host, scratch []byte) (v T, ok bool) {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	host = lower(host, scratch)
	if v, ok = h.exact[string(host)]; ok {
		return v, true
	}
	if len(h.wildcard) > 0 {
		for rest := host; ; {
			i := bytes.IndexByte(rest, '.')
			if i < 0 {
				break
			}
			if v, ok = h.wildcard[string(rest[i:])]; ok {
				return v, true
			}
			rest = rest[i+1:]
		}
	}
	return h.any, h.hasAny
}

func lower(host, scratch []byte) []byte {
	for i, c := range host {
		if 'A' <= c && c <= 'Z' {
			scratch = append(scratch[:0], host...)
			for ; i < len(scratch); i++ {
				if c := scratch[i]; 'A' <= c && c <= 'Z' {
					scratch[i] = c | 0x20
				}
			}
			return scratch
		}
	}
	return host
}
