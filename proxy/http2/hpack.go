package http2

// Header blocks (RFC 7541) are encoded with the static table alone: no state is shared between
// blocks, nothing is copied into tables, and the cost of a field is its copy.

// statuses have an entry of their own in the static table.
func statusIndex(status int) byte {
	switch status {
	case 200:
		return 8
	case 204:
		return 9
	case 206:
		return 10
	case 304:
		return 11
	case 400:
		return 12
	case 404:
		return 13
	case 500:
		return 14
	}
	return 0
}

// AppendStatus appends :status.
func AppendStatus(dst []byte, status int) []byte {
	if i := statusIndex(status); i != 0 {
		return append(dst, 0x80|i)
	}
	return append(dst, 0x08, 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// AppendRequest appends the pseudo-fields of a request.
func AppendRequest(dst, method, scheme, authority, path []byte) []byte {
	switch string(method) {
	case "GET":
		dst = append(dst, 0x82)
	case "POST":
		dst = append(dst, 0x83)
	default:
		dst = appendLiteral(dst, 2, method)
	}
	if string(scheme) == "https" {
		dst = append(dst, 0x87)
	} else {
		dst = append(dst, 0x86)
	}
	dst = appendLiteral(dst, 1, authority)
	return appendLiteral(dst, 4, path)
}

// AppendField appends a field. Upper-case letters of the name become lower case.
func AppendField(dst, name, value []byte) []byte {
	var low [40]byte
	if len(name) <= len(low) {
		for i, c := range name {
			if c-'A' < 26 {
				c |= 0x20
			}
			low[i] = c
		}
		if i, ok := names[string(low[:len(name)])]; ok {
			return appendLiteral(dst, i, value)
		}
	}
	dst = appendInt(append(dst, 0, 0), 7, len(name))
	for _, c := range name {
		if c-'A' < 26 {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return append(appendInt(append(dst, 0), 7, len(value)), value...)
}

// appendLiteral appends a field whose name is in the static table, without indexing; those that
// hold secrets are marked as never to be indexed (RFC 7541 section 7.1.3).
func appendLiteral(dst []byte, index byte, value []byte) []byte {
	kind := byte(0)
	if index == indexAuthorization || index == indexCookie || index == indexSetCookie {
		kind = 0x10
	}
	if index < 15 {
		dst = append(dst, kind|index)
	} else {
		dst = append(dst, kind|15, index-15)
	}
	return append(appendInt(append(dst, 0), 7, len(value)), value...)
}

// appendInt puts n into the low bits of dst's last byte and behind it, RFC 7541 section 5.1.
func appendInt(dst []byte, bits uint, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		dst[len(dst)-1] |= byte(n)
		return dst
	}
	dst[len(dst)-1] |= byte(most)
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

const (
	indexAuthorization = 23
	indexCookie        = 32
	indexSetCookie     = 55
)

// names are the regular fields of the static table, RFC 7541 appendix A.
var names = map[string]byte{
	"accept-charset": 15, "accept-encoding": 16, "accept-language": 17, "accept-ranges": 18, "accept": 19,
	"access-control-allow-origin": 20, "age": 21, "allow": 22, "authorization": indexAuthorization, "cache-control": 24,
	"content-disposition": 25, "content-encoding": 26, "content-language": 27, "content-length": 28,
	"content-location": 29, "content-range": 30, "content-type": 31, "cookie": indexCookie, "date": 33, "etag": 34,
	"expect": 35, "expires": 36, "from": 37, "host": 38, "if-match": 39, "if-modified-since": 40, "if-none-match": 41,
	"if-range": 42, "if-unmodified-since": 43, "last-modified": 44, "link": 45, "location": 46, "max-forwards": 47,
	"proxy-authenticate": 48, "proxy-authorization": 49, "range": 50, "referer": 51, "refresh": 52, "retry-after": 53,
	"server": 54, "set-cookie": indexSetCookie, "strict-transport-security": 56, "transfer-encoding": 57, "user-agent": 58,
	"vary": 59, "via": 60, "www-authenticate": 61,
}
