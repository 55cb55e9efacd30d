package proxy

import (
	"bytes"
	"strconv"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// redirect is a compiled redirect filter.
type redirect struct {
	*fixed
	always             bool
	scheme, host, port []byte // port with its colon, unless it is the scheme's own
	portSet            bool
	own                []byte // of a port that is left out, where the scheme is the client's
	path               replacement
}

func newRedirect(d *gateway.Redirect, st *stats) *redirect {
	if d == nil {
		return nil
	}
	out := &redirect{always: d.Always(), scheme: []byte(d.Scheme), host: []byte(d.Host), path: newReplacement(d.Path, d.Prefix)}
	out.fixed = newFixed(&gateway.Respond{Status: d.Status}, st)
	out.is.Class, out.is.Text = "redirect", "the route sends clients elsewhere"
	own := map[int]string{80: "http", 443: "https"}[d.Port]
	switch {
	case d.Port == 0:
	case d.Scheme == "":
		out.own = []byte(own)
		fallthrough
	case own != d.Scheme:
		out.port = strconv.AppendInt([]byte{':'}, int64(d.Port), 10)
	}
	out.portSet = d.Port != 0 || d.Scheme != ""
	return out
}

// takes says whether the request is redirected.
func (d *redirect) takes(x *exchange) bool {
	return d != nil && (d.always || !bytes.Equal(d.scheme, x.scheme()))
}

// scheme is the one that the client used: the listener's, or what a trusted peer says last.
func (x *exchange) scheme() []byte {
	if x.c.trusted {
		fields, b := x.req().Fields, x.head()
		for i := len(fields) - 1; i >= 0; i-- {
			if fields[i].Key == http1.KeyXForwardedProto {
				switch v := lastItem(fields[i].Value.Of(b)); {
				case http1.EqualFold(v, httpScheme):
					return httpScheme
				case http1.EqualFold(v, httpsScheme):
					return httpsScheme
				}
				break
			}
		}
	}
	if x.c.l.Scheme == "https" {
		return httpsScheme
	}
	return httpScheme
}

var httpScheme, httpsScheme = []byte("http"), []byte("https")

// appendLocation appends the field that says where to. The address is always a whole one: a
// path that begins with two slashes would name a host.
func (x *exchange) appendLocation(dst []byte, d *redirect) []byte {
	r, b := x.req(), x.head()
	scheme, host, port := d.scheme, d.host, d.port
	if len(scheme) == 0 {
		if scheme = x.scheme(); bytes.Equal(scheme, d.own) {
			port = nil
		}
	}
	if !d.portSet {
		port = r.Authority.Of(b)[len(r.Host.Of(b)):]
	}
	dst = append(append(append(dst, "Location: "...), scheme...), "://"...)
	if len(host) > 0 {
		dst = append(dst, host...)
	} else {
		dst = appendLower(dst, r.Host.Of(b))
	}
	dst = x.appendPath(append(dst, port...), &d.path)
	return append(append(dst, r.Query.Of(b)...), '\r', '\n')
}

// appendLower appends a name of a host as everybody compares it.
func appendLower(dst, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
