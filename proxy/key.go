package proxy

import (
	"bytes"

	"github.com/sluice-gateway/sluice/proxy/balance"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// hash is the place on the upstream's ring to which the request belongs.
func (x *exchange) hash() uint64 {
	c := &x.rot.choosing
	switch c.on {
	case hashHeader:
		if v := x.header(c.name); len(v) > 0 {
			return balance.Key(v)
		}
	case hashCookie:
		if v := cookie(x.req().Fields, x.head(), c.name); len(v) > 0 {
			return balance.Key(v)
		}
		return x.clientKey() // the URI of those who come for the first time is mostly the same
	case hashIP:
		return x.clientKey()
	}
	return balance.Key(x.forward)
}

// clientKey is that of the client's address.
func (x *exchange) clientKey() uint64 {
	a := x.c.peer().As16()
	return balance.Key(a[:])
}

// header is the value of the first field of that name, in lower case; empty: there is none.
func (x *exchange) header(name []byte) []byte {
	b := x.head()
	fields := x.req().Fields
	for i := range fields {
		if f := &fields[i]; http1.EqualFold(f.Name.Of(b), name) {
			return f.Value.Of(b)
		}
	}
	return nil
}

var cookieName = []byte("cookie")

// cookie is the value of the first cookie of that name (RFC 6265 section 4.2.1); empty: there
// is none.
func cookie(fields http1.Fields, b, name []byte) []byte {
	for i := range fields {
		f := &fields[i]
		if !http1.EqualFold(f.Name.Of(b), cookieName) {
			continue
		}
		for rest := f.Value.Of(b); len(rest) > 0; {
			pair, after, _ := bytes.Cut(rest, semicolon)
			if n, v, ok := bytes.Cut(bytes.TrimLeft(pair, " "), equals); ok && bytes.Equal(n, name) {
				return v
			}
			rest = after
		}
	}
	return nil
}

var semicolon, equals = []byte{';'}, []byte{'='}
