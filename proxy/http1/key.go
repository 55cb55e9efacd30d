package http1

// Key names the fields that mean something to a proxy. All others are KeyOther and are
// passed on as they are.
type Key uint8

// The fields that a proxy looks at.
const (
	KeyOther Key = iota
	KeyHost
	KeyContentLength
	KeyTransferEncoding
	KeyConnection
	KeyKeepAlive
	KeyProxyConnection
	KeyProxyAuthenticate
	KeyProxyAuthorization
	KeyTE
	KeyTrailer
	KeyUpgrade
	KeyHTTP2Settings
	KeyExpect
	KeyXForwardedFor
	KeyXForwardedHost
	KeyXForwardedProto
	KeyXForwardedOther // any other X-Forwarded-...
	KeyForwarded
	KeyXRealIP
	KeyProxy // httpoxy: a CGI reads it as HTTP_PROXY
	KeyXOriginalURL
	KeyXRewriteURL
	KeyDate
	KeyAuthorization
	// KeyLookalike is a name with "_" that a CGI-style origin reads as one of the above.
	KeyLookalike
)

// keyOf recognises a name. underscore says that the name holds one.
func keyOf(name []byte, underscore bool) Key {
	if underscore {
		return lookalike(name)
	}
	switch len(name) {
	case 2:
		return pick(name, "te", KeyTE)
	case 4:
		switch name[0] | 0x20 {
		case 'h':
			return pick(name, "host", KeyHost)
		case 'd':
			return pick(name, "date", KeyDate)
		}
	case 5:
		return pick(name, "proxy", KeyProxy)
	case 6:
		return pick(name, "expect", KeyExpect)
	case 7:
		if name[0]|0x20 == 'u' {
			return pick(name, "upgrade", KeyUpgrade)
		}
		return pick(name, "trailer", KeyTrailer)
	case 9:
		if name[0]|0x20 == 'x' {
			return pick(name, "x-real-ip", KeyXRealIP)
		}
		return pick(name, "forwarded", KeyForwarded)
	case 10:
		if name[0]|0x20 == 'k' {
			return pick(name, "keep-alive", KeyKeepAlive)
		}
		return pick(name, "connection", KeyConnection)
	}
	if len(name) < 13 {
		return KeyOther
	}
	return longKey(name)
}

func longKey(name []byte) Key {
	switch name[0] | 0x20 {
	case 'a':
		return pick(name, "authorization", KeyAuthorization)
	case 'c':
		return pick(name, "content-length", KeyContentLength)
	case 't':
		return pick(name, "transfer-encoding", KeyTransferEncoding)
	case 'h':
		return pick(name, "http2-settings", KeyHTTP2Settings)
	case 'p':
		return pick(name, "proxy-connection", KeyProxyConnection) |
			pick(name, "proxy-authenticate", KeyProxyAuthenticate) |
			pick(name, "proxy-authorization", KeyProxyAuthorization)
	case 'x':
		if fold(name[:12], "x-forwarded-") {
			k := pick(name, "x-forwarded-for", KeyXForwardedFor) |
				pick(name, "x-forwarded-host", KeyXForwardedHost) |
				pick(name, "x-forwarded-proto", KeyXForwardedProto)
			if k == KeyOther {
				return KeyXForwardedOther
			}
			return k
		}
		return pick(name, "x-original-url", KeyXOriginalURL) | pick(name, "x-rewrite-url", KeyXRewriteURL)
	}
	return KeyOther
}

// pick returns k when name is want. At most one of several picks differs from KeyOther,
// which is zero, so they may be joined by "|".
func pick(name []byte, want string, k Key) Key {
	if fold(name, want) {
		return k
	}
	return KeyOther
}

func lookalike(name []byte) Key {
	// No name that is looked for is longer, but X-Forwarded- has any number of endings.
	var dashed [32]byte
	name = name[:min(len(name), len(dashed))]
	for i, c := range name {
		if c == '_' {
			c = '-'
		}
		dashed[i] = c
	}
	switch keyOf(dashed[:len(name)], false) {
	case KeyOther, KeyDate:
		return KeyOther
	}
	return KeyLookalike
}
