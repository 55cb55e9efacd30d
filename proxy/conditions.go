package proxy

import (
	"bytes"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// conditions are what a rule asks for besides its path, compiled.
type conditions struct {
	methods []string
	headers []pair // no value: any
	query   []pair
}

type pair struct{ name, value []byte }

func newConditions(c *gateway.Conditions) *conditions {
	if !c.Any() {
		return nil
	}
	out := &conditions{methods: c.Methods}
	for _, h := range c.Headers {
		out.headers = append(out.headers, pair{[]byte(h.Name), []byte(h.Exact)})
	}
	for _, q := range c.Query {
		out.query = append(out.query, pair{[]byte(q.Name), []byte(q.Exact)})
	}
	return out
}

// met says whether the request meets all of them.
func (c *conditions) met(x *exchange) bool {
	r, b := x.req(), x.head()
	if len(c.methods) > 0 && !slices.Contains(c.methods, string(r.MethodText.Of(b))) {
		return false
	}
	for i := range c.headers {
		if !c.headers[i].among(r.Fields, b) {
			return false
		}
	}
	for i := range c.query {
		if !c.query[i].first(r.Query.Of(b)) {
			return false
		}
	}
	return true
}

// among says whether the fields of that name have the value together, joined by ", " (RFC 9110
// section 5.2).
func (p *pair) among(fields http1.Fields, b []byte) bool {
	rest, found := p.value, false
	for i := range fields {
		if !http1.EqualFold(fields[i].Name.Of(b), p.name) {
			continue
		}
		if len(p.value) == 0 {
			return true
		}
		if found {
			if !bytes.HasPrefix(rest, comma) {
				return false
			}
			rest = rest[len(comma):]
		}
		found = true
		value := fields[i].Value.Of(b)
		if !bytes.HasPrefix(rest, value) {
			return false
		}
		rest = rest[len(value):]
	}
	return found && len(rest) == 0
}

var comma = []byte(", ")

// first says whether the first parameter of that name has the value. query begins with "?".
func (p *pair) first(query []byte) bool {
	for len(query) > 0 {
		item := query[1:]
		end := bytes.IndexByte(item, '&')
		if end < 0 {
			end = len(item)
		}
		item, query = item[:end], item[end:]
		name, value, _ := bytes.Cut(item, equals)
		if decodesTo(name, p.name) {
			return decodesTo(value, p.value)
		}
	}
	return false
}

// decodesTo compares a name or a value of a query as forms write it.
func decodesTo(raw, want []byte) bool {
	k := 0
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(raw):
			hi, ok := unhex(raw[i+1])
			lo, fine := unhex(raw[i+2])
			if ok && fine {
				c = hi<<4 | lo
				i += 2
			}
		}
		if k == len(want) || want[k] != c {
			return false
		}
		k++
	}
	return k == len(want)
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
