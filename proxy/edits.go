package proxy

import (
	"bytes"
	"maps"
	"net/textproto"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// edits is a compiled requestHeaders or responseHeaders filter. The methods of a nil one change
// nothing.
type edits struct {
	drop  [][]byte // names in lower case
	lines []byte   // what is set and added
	typed []byte   // the same without Content-Type
}

func newEdits(e *gateway.HeaderEdit) *edits {
	if e == nil {
		return nil
	}
	out := &edits{}
	for _, name := range e.Drops() {
		out.drop = append(out.drop, []byte(name))
	}
	for _, list := range []map[string]string{e.Set, e.Add} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			line := textproto.CanonicalMIMEHeaderKey(name) + ": " + list[name] + "\r\n"
			out.lines = append(out.lines, line...)
			if name != "content-type" {
				out.typed = append(out.typed, line...)
			}
		}
	}
	return out
}

// drops says whether fields of that name do not stay.
func (e *edits) drops(name []byte) bool {
	if e != nil {
		for _, d := range e.drop {
			if len(d) == len(name) && http1.EqualFold(d, name) {
				return true
			}
		}
	}
	return false
}

// append appends the lines that the edit adds.
func (e *edits) append(dst []byte) []byte {
	if e != nil {
		dst = append(dst, e.lines...)
	}
	return dst
}

// own edits the lines of an answer of Sluice's own, which begin at from. Its Content-Type says
// what its body is, so that stays.
func (e *edits) own(b []byte, from int) []byte {
	if e == nil {
		return b
	}
	to := from
	for rest := b[from:]; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		name, _, _ := bytes.Cut(rest[:n], colon)
		if !e.drops(name) || http1.EqualFold(name, contentType) {
			to += copy(b[to:], rest[:n])
		}
		rest = rest[n:]
	}
	return append(b[:to], e.typed...)
}

var colon = []byte{':'}

// editAnswer returns what changes the answer's head; nil for interim answers, which are
// not the route's.
func (x *exchange) editAnswer() *edits {
	if x.resp.Interim() {
		return nil
	}
	return x.route.response
}
