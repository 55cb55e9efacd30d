package http2

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// decoding turns one header block into the bytes of an HTTP/1.1 head.
type decoding struct {
	conn *Conn
	kind blockKind
	text []byte // borrowed by the stream when the block is done
	size int    // as RFC 9113 section 6.5.2 counts it
	bad  string // why the message is malformed; empty: it is not
	big  bool   // more than Config.HeadBytes

	begun   bool // the first line has been written: no pseudo-field may follow
	seen    pseudo
	method  string
	scheme  string
	path    string
	host    string // :authority
	proto   string // :protocol
	status  string
	hasHost bool
	length  int64 // Content-Length; -1: none, -2: not a number, which the parser refuses
	cookies []byte
}

type blockKind uint8

const (
	requestBlock blockKind = iota
	answerBlock
	trailerBlock
)

// pseudo is a set of pseudo-fields.
type pseudo uint8

const (
	pMethod pseudo = 1 << iota
	pScheme
	pPath
	pAuthority
	pProtocol
	pStatus
)

func (d *decoding) start(kind blockKind, text []byte) {
	*d = decoding{conn: d.conn, kind: kind, text: text, length: -1, cookies: d.cookies[:0]}
}

// forget lets go of the last head: its text is the stream's, and a connection that waits holds
// no long values.
func (d *decoding) forget() { *d = decoding{conn: d.conn, cookies: modest(d.cookies)} }

// field is the Decoder's callback.
func (d *decoding) field(f hpack.HeaderField) {
	if d.size += len(f.Name) + len(f.Value) + 32; d.size > d.conn.cfg.HeadBytes {
		d.big = true
	}
	if d.big || d.bad != "" {
		return
	}
	// Servers send spaces there (a status of gRPC may end with ": ", net/http takes any value), and they mean
	// nothing.
	if d.conn.client {
		f.Value = strings.Trim(f.Value, " \t")
	}
	switch {
	case !validValue(f.Value):
		d.bad = "malformed field value"
	case len(f.Name) > 0 && f.Name[0] == ':':
		d.pseudo(f.Name, f.Value)
	case !validName(f.Name):
		d.bad = "malformed field name"
	default:
		d.regular(f.Name, f.Value)
	}
}

func (d *decoding) pseudo(name, value string) {
	var p pseudo
	var to *string
	switch name {
	case ":method":
		p, to = pMethod, &d.method
	case ":scheme":
		p, to = pScheme, &d.scheme
	case ":path":
		p, to = pPath, &d.path
	case ":authority":
		p, to = pAuthority, &d.host
	case ":protocol":
		p, to = pProtocol, &d.proto
	case ":status":
		p, to = pStatus, &d.status
	}
	allowed := pMethod | pScheme | pPath | pAuthority | pProtocol
	switch d.kind {
	case answerBlock:
		allowed = pStatus
	case trailerBlock:
		allowed = 0
	}
	switch {
	case p&allowed == 0:
		d.bad = "unknown pseudo-field"
	case d.begun:
		d.bad = "pseudo-field after a regular one"
	case d.seen&p != 0:
		d.bad = "pseudo-field given twice"
	default:
		d.seen |= p
		*to = value
	}
}

func (d *decoding) regular(name, value string) {
	d.begin()
	if d.bad != "" {
		return
	}
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		d.bad = "field that belongs to HTTP/1.1 connections"
		return
	case "te":
		if value != "trailers" {
			d.bad = "TE other than trailers"
			return
		}
	case "host":
		if d.kind == requestBlock && d.seen&pAuthority != 0 {
			if value != d.host || d.hasHost {
				d.bad = "Host differs from :authority"
			}
			d.hasHost = true
			return
		}
	case "cookie":
		if d.kind == requestBlock { // crumbs are joined, RFC 9113 section 8.2.3
			if len(d.cookies) > 0 && value != "" {
				d.cookies = append(d.cookies, "; "...)
			}
			d.cookies = append(d.cookies, value...)
			return
		}
	case "sec-websocket-key":
		if d.seen&pProtocol != 0 {
			return // not used, RFC 8441 section 5; Sluice's own stands there already
		}
	case "content-length":
		d.length = number(value)
	}
	d.line(name, value)
}

func (d *decoding) line(name, value string) {
	d.text = append(d.text, name...)
	d.text = append(d.text, ':', ' ')
	d.text = append(d.text, value...)
	d.text = append(d.text, '\r', '\n')
}

// begin writes the first line, before the first regular field.
func (d *decoding) begin() {
	if d.begun {
		return
	}
	d.begun = true
	switch d.kind {
	case requestBlock:
		d.requestLine()
	case answerBlock:
		if len(d.status) != 3 || number(d.status) < 0 || d.status == "101" {
			d.bad = "malformed :status"
			return
		}
		d.text = append(d.text, "HTTP/1.1 "...)
		d.text = append(append(d.text, d.status...), " \r\n"...)
	case trailerBlock:
		d.text = append(d.text, "0\r\n"...)
	}
}

func (d *decoding) requestLine() {
	if d.seen&pProtocol != 0 {
		d.extendedConnect()
		return
	}
	target := d.path
	if d.method == "CONNECT" {
		if d.seen != pMethod|pAuthority {
			d.bad = "malformed CONNECT"
		}
		target = d.host
	} else if d.seen&(pMethod|pScheme|pPath) != pMethod|pScheme|pPath {
		d.bad = "pseudo-field is missing"
	} else if d.path == "" || d.path[0] != '/' && d.path != "*" || !validTarget(d.path) {
		d.bad = "malformed :path"
	}
	if !validMethod(d.method) || !validTarget(d.host) || d.seen&pScheme != 0 && !validScheme(d.scheme) || d.seen&pAuthority != 0 && d.host == "" {
		d.bad = "malformed pseudo-field"
	}
	if d.bad != "" {
		return
	}
	d.text = append(append(d.text, d.method...), ' ')
	d.text = append(append(d.text, target...), " HTTP/1.1\r\n"...)
	d.hostLine()
}

func (d *decoding) hostLine() {
	if d.seen&pAuthority != 0 {
		d.line("host", d.host)
	}
}

// extendedConnect turns RFC 8441's CONNECT into the request that the same client would have
// made over HTTP/1.1. The key is Sluice's own: the client has none.
func (d *decoding) extendedConnect() {
	switch {
	case d.method != "CONNECT" || d.seen != pMethod|pScheme|pPath|pAuthority|pProtocol:
		d.bad = "malformed extended CONNECT"
	case d.path == "" || d.path[0] != '/' || !validTarget(d.path) || d.host == "" || !validTarget(d.host) || !validScheme(d.scheme):
		d.bad = "malformed extended CONNECT"
	}
	if d.bad != "" {
		return
	}
	d.text = append(append(d.text, "GET "...), d.path...)
	d.text = append(d.text, " HTTP/1.1\r\n"...)
	d.hostLine()
	d.text = append(d.text, "connection: upgrade\r\nupgrade: "...)
	d.text = append(append(d.text, d.proto...), "\r\nsec-websocket-key: "...)
	d.text = append(append(d.text, newKey()...), '\r', '\n')
}

// finish writes what comes last.
func (d *decoding) finish() {
	d.begin()
	if len(d.cookies) > 0 {
		d.text = append(append(append(d.text, "cookie: "...), d.cookies...), '\r', '\n')
	}
	d.text = append(d.text, '\r', '\n')
}

func validName(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !nameBytes[s[i]] {
			return false
		}
	}
	return true
}

// nameBytes are the token bytes without upper case, RFC 9113 section 8.2.1.
var nameBytes = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()

func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return s == "" || s[0] != ' ' && s[0] != '\t' && s[len(s)-1] != ' ' && s[len(s)-1] != '\t'
}

// validTarget keeps a value from ending its place in the request line.
func validTarget(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// validScheme holds to RFC 3986 section 3.1.
func validScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && (i == 0 || s[i] != '+' && s[i] != '-' && s[i] != '.' && (s[i] < '0' || s[i] > '9')) {
			return false
		}
	}
	return s != ""
}

func validMethod(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !nameBytes[c] && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// number reads up to 18 digits; -2: it is none.
func number(s string) (n int64) {
	if s == "" || len(s) > 18 {
		return -2
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return -2
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// newKey is a fresh Sec-WebSocket-Key, RFC 6455 section 4.1.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return base64.StdEncoding.EncodeToString(b[:])
}
