package match

import "bytes"

// Paths finds a value by path. It is built by Add and only read after that.
type Paths[T any] struct {
	exact  map[string]T
	prefix map[string]T
	root   T // prefix "/"
	rooted bool
	// few holds the prefixes in order while they are few: comparing them beats hashing.
	few     []prefixRule[T]
	longest int
}

type prefixRule[T any] struct {
	text  string
	value T
}

const fewPrefixes = 8

// AddExact adds an exact path. Of two equal ones the first counts.
func (p *Paths[T]) AddExact(path string, v T) {
	if p.exact == nil {
		p.exact = map[string]T{}
	}
	path = ruleForm(path)
	if _, taken := p.exact[path]; !taken {
		p.exact[path] = v
	}
}

// AddPrefix adds a prefix of whole path elements. Of two equal ones the first counts.
// Prefixes are added longest first.
func (p *Paths[T]) AddPrefix(path string, v T) {
	path = string(PrefixForm(path))
	if path == "" {
		if !p.rooted {
			p.root, p.rooted = v, true
		}
		return
	}
	if p.prefix == nil {
		p.prefix = map[string]T{}
	}
	if _, taken := p.prefix[path]; taken {
		return
	}
	p.prefix[path] = v
	p.longest = max(p.longest, len(path))
	p.few = append(p.few, prefixRule[T]{path, v})
	for i := len(p.few) - 1; i > 0 && len(p.few[i-1].text) < len(p.few[i].text); i-- {
		p.few[i-1], p.few[i] = p.few[i], p.few[i-1]
	}
}

// PrefixForm is the form in which a prefix is compared: the match form without a slash at its
// end, so that "/" is empty.
func PrefixForm(path string) []byte {
	path = ruleForm(path)
	if path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return []byte(path)
}

// ruleForm brings a rule's path into the form that requests are compared in.
func ruleForm(path string) string {
	if _, m, _, err := Normalise([]byte(path), nil); err == nil {
		return string(m)
	}
	return path
}

// Find returns the value for a path in its match form.
func (p *Paths[T]) Find(path []byte) (v T, ok bool) {
	if p.exact != nil {
		if v, ok = p.exact[string(path)]; ok {
			return v, true
		}
	}
	if len(p.few) > fewPrefixes {
		return p.findLong(path)
	}
	for i := range p.few {
		if t := p.few[i].text; len(path) >= len(t) && string(path[:len(t)]) == t && (len(path) == len(t) || path[len(t)] == '/') {
			return p.few[i].value, true
		}
	}
	return p.root, p.rooted
}

// findLong looks up the path and then each shorter prefix of whole elements. It starts no
// further than the longest rule, so that a hostile path of thousands of elements costs no
// more than an honest one.
func (p *Paths[T]) findLong(path []byte) (v T, ok bool) {
	end := len(path)
	if end > p.longest {
		end = bytes.LastIndexByte(path[:p.longest+1], '/')
	}
	for end > 0 {
		if v, ok = p.prefix[string(path[:end])]; ok {
			return v, true
		}
		end = bytes.LastIndexByte(path[:end], '/')
	}
	return p.root, p.rooted
}
