package proxy

import (
	"maps"
	"net/textproto"
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// fixed is the compiled answer of a respond filter.
type fixed struct {
	is     *http1.Error // stands for it where answers of Sluice's own are sent
	fields []byte       // those of the filter and Content-Length, as lines
	body   []byte
	target *target // without an upstream: the counters of the route
}

func newFixed(r *gateway.Respond, st *stats) *fixed {
	f := &fixed{
		is:     &http1.Error{Status: r.Status, Class: "respond", Text: "the route answers by itself"},
		body:   []byte(r.Body),
		target: &target{stats: st},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		f.fields = append(append(f.fields, textproto.CanonicalMIMEHeaderKey(name)...), ": "...)
		f.fields = append(append(f.fields, r.Headers[name]...), '\r', '\n')
	}
	if _, ok := r.Headers["content-type"]; !ok && r.Body != "" {
		f.fields = append(f.fields, "Content-Type: text/plain; charset=utf-8\r\n"...)
	}
	if r.Status != 204 && r.Status != 304 { // RFC 9110 section 8.6
		f.fields = http1.AppendLength(f.fields, int64(len(f.body)))
	}
	return f
}

// fixed returns the answer that e stands for; nil: e is a failure.
func (x *exchange) fixed(e *http1.Error) *fixed {
	if x.answer != nil && x.answer.is == e {
		return x.answer
	}
	return nil
}

// fixedFields appends the fields of the answer.
func (x *exchange) fixedFields(dst []byte, f *fixed) []byte {
	dst = append(append(dst, *x.c.p.date.Load()...), f.fields...)
	return append(dst, x.lines...) // a Location
}

// respond answers with what the route's filter says. A small body of the request is taken
// first, so that the connection can go on; after a large one it is closed. A body that the
// client holds back until it is asked for is never asked for.
func (x *exchange) respond() bool {
	if d := x.route.redirect; d != nil && d.fixed == x.answer {
		x.lines = x.appendLocation(x.lines[:0], d) // taking the body may move the head
	}
	x.body = x.front.body(x)
	if x.req().Framing == http1.NoBody {
		x.whole = true
	} else if err := x.front.gather(x); err != nil {
		return x.fail(err)
	}
	return x.refuse(x.answer.is)
}
