package proxy

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/proxy/http1"
)

// keySet is a set of field keys.
type keySet [http1.KeyLookalike + 1]bool

func keys(ks ...http1.Key) (s keySet) {
	for _, k := range ks {
		s[k] = true
	}
	return s
}

// The fields that stay on the connection they came on (RFC 9110 section 7.6.1), or that
// Sluice writes itself.
var hop = []http1.Key{
	http1.KeyTransferEncoding, http1.KeyConnection, http1.KeyKeepAlive, http1.KeyProxyConnection,
	http1.KeyProxyAuthenticate, http1.KeyProxyAuthorization, http1.KeyTE, http1.KeyUpgrade, http1.KeyHTTP2Settings,
}

var (
	// dropRequest: besides the hop fields, those that tell an origin what only an edge
	// may tell (hardening section 3.9).
	dropRequest = keys(append(hop, http1.KeyHost, http1.KeyExpect, http1.KeyXForwardedFor, http1.KeyXForwardedHost,
		http1.KeyXForwardedProto, http1.KeyXForwardedOther, http1.KeyForwarded, http1.KeyXRealIP, http1.KeyProxy,
		http1.KeyXOriginalURL, http1.KeyXRewriteURL, http1.KeyLookalike)...)
	// dropTrusted is the same for a trusted peer: what Sluice adds to is written anew.
	dropTrusted = keys(append(hop, http1.KeyHost, http1.KeyExpect, http1.KeyXForwardedFor, http1.KeyXForwardedHost,
		http1.KeyXForwardedProto, http1.KeyForwarded, http1.KeyProxy, http1.KeyLookalike)...)
	dropResponse = keys(hop...)
)

// appendPeer appends the fields that name the client. The last one, Forwarded, is left open for
// the host.
func appendPeer(dst []byte, peer netip.Addr, scheme string) []byte {
	dst = appendAddr(append(dst, "X-Forwarded-For: "...), peer)
	dst = append(append(dst, "\r\nX-Forwarded-Proto: "...), scheme...)
	return appendNode(append(dst, "\r\nForwarded: "...), peer, scheme)
}

// appendAddr appends an address as X-Forwarded-For has it.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(dst, "unknown"...)
	}
	return a.AppendTo(dst)
}

// appendNode appends the parameters of Forwarded that are known of a client (RFC 7239 sections
// 5.2, 5.4 and 6).
func appendNode(dst []byte, peer netip.Addr, scheme string) []byte {
	dst = append(dst, "for="...)
	if peer.Is6() {
		dst = append(peer.AppendTo(append(dst, `"[`...)), `]"`...)
	} else {
		dst = appendAddr(dst, peer)
	}
	return append(append(dst, ";proto="...), scheme...)
}

var mirrorHeader = []byte(strings.ToLower(gateway.MirrorHeader))

// requestHead appends the head that the endpoint gets.
func (x *exchange) requestHead(dst []byte) []byte {
	r, b := x.req(), x.head()
	dst = append(append(dst, r.MethodText.Of(b)...), ' ')
	if r.Asterisk {
		dst = append(dst, '*')
	} else {
		dst = x.appendPath(dst, &x.route.rewrite)
	}
	dst = append(dst, r.Query.Of(b)...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(x.appendAuthority(dst), '\r', '\n')

	dst = x.route.request.append(http1.AppendFields(dst, b, r.Fields, x.forwards))
	switch {
	case r.WebSocket:
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case r.Trailers:
		dst = append(dst, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	if r.Framing == http1.ChunkedTE {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(x.appendForwarded(dst), '\r', '\n')
}

// appendAuthority appends the host that the endpoint is asked for.
func (x *exchange) appendAuthority(dst []byte) []byte {
	switch r := x.req(); {
	case len(x.route.host) > 0:
		return append(dst, x.route.host...)
	case r.Authority.Empty(): // HTTP/1.0 may leave it out, others may not
		return append(dst, x.target.upstream.key.Name...)
	default:
		return append(dst, r.Authority.Of(x.head())...)
	}
}

// forwards says whether a field of the request is for the endpoint.
func (x *exchange) forwards(i int) bool {
	r, drop := x.req(), &dropRequest
	if x.c.trusted {
		drop = &dropTrusted
	}
	k := r.Fields[i].Key
	if drop[k] || k == http1.KeyTrailer && r.Framing != http1.ChunkedTE {
		return false
	}
	b := x.head()
	if x.route.request.drops(r.Fields[i].Name.Of(b)) {
		return false
	}
	if x.duplicate && k == http1.KeyOther && http1.EqualFold(r.Fields[i].Name.Of(b), mirrorHeader) {
		return false // it is ours to say
	}
	return !r.Options.Named || k == http1.KeyContentLength || !r.Fields.NamedBy(b, r.Fields[i].Name.Of(b))
}

// appendForwarded tells the endpoint whom the request came from.
func (x *exchange) appendForwarded(dst []byte) []byte {
	host := x.req().Authority.Of(x.head())
	if x.duplicate {
		dst = append(dst, gateway.MirrorHeader+": 1\r\n"...)
	}
	if x.c.trusted {
		return x.appendTrusted(dst, host)
	}
	dst = append(dst, x.c.peerText...)
	if len(host) == 0 {
		return append(dst, '\r', '\n')
	}
	dst = appendHostParam(dst, host)
	dst = append(dst, "\r\nX-Forwarded-Host: "...)
	return append(append(dst, host...), '\r', '\n')
}

// appendHostParam appends Forwarded's host parameter, quoted where it is no token (RFC 7239
// section 4). host has been checked, so it holds nothing to escape.
func appendHostParam(dst, host []byte) []byte {
	dst = append(dst, ";host="...)
	if bytes.IndexByte(host, ':') < 0 {
		return append(dst, host...)
	}
	return append(append(append(dst, '"'), host...), '"')
}

// appendTrusted adds to what a trusted peer says.
func (x *exchange) appendTrusted(dst, host []byte) []byte {
	peer, proto := x.c.peer(), x.c.l.Scheme
	dst = appendAddr(x.appendValues(append(dst, "X-Forwarded-For: "...), http1.KeyXForwardedFor, true), peer)
	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	if n := len(dst); len(x.appendValues(dst, http1.KeyXForwardedProto, false)) > n {
		dst = x.appendValues(dst, http1.KeyXForwardedProto, false)
	} else {
		dst = append(dst, proto...)
	}
	dst = append(dst, "\r\nX-Forwarded-Host: "...)
	if n := len(dst); len(x.appendValues(dst, http1.KeyXForwardedHost, false)) > n {
		dst = x.appendValues(dst, http1.KeyXForwardedHost, false)
	} else {
		dst = append(dst, host...)
	}
	dst = x.appendValues(append(dst, "\r\nForwarded: "...), http1.KeyForwarded, true)
	dst = appendNode(dst, peer, proto)
	if len(host) > 0 {
		dst = appendHostParam(dst, host)
	}
	return append(dst, '\r', '\n')
}

// appendValues appends the values of the fields with that key, in order. With more each
// is followed by a comma.
func (x *exchange) appendValues(dst []byte, k http1.Key, more bool) []byte {
	b := x.head()
	first := true
	for _, f := range x.req().Fields {
		if f.Key != k || f.Value.Empty() {
			continue
		}
		if !more && !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = append(dst, f.Value.Of(b)...)
		if more {
			dst = append(dst, ", "...)
		}
	}
	return dst
}
