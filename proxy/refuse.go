package proxy

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// requestIDs are numbers that look random and never repeat within a process.
type requestIDs struct {
	key  uint64
	next *atomic.Uint64
}

func newRequestIDs() requestIDs {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	ids := requestIDs{key: binary.LittleEndian.Uint64(b[:]) | 1, next: new(atomic.Uint64)}
	ids.next.Store(binary.LittleEndian.Uint64(b[8:]))
	return ids
}

// new multiplies a counter by an odd number, which is a permutation.
func (ids requestIDs) new() uint64 { return ids.next.Add(1) * ids.key }

func (x *exchange) requestID() uint64 {
	if x.id == 0 {
		x.id = x.c.p.ids.new()
	}
	return x.id
}

func appendID(dst []byte, id uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return hex.AppendEncode(dst, b[:])
}

// fail ends an exchange that got no answer for the client.
func (x *exchange) fail(err error) bool {
	var e *http1.Error
	if !errors.As(err, &e) {
		x.aborted = true
		x.status = 499 // nobody sees it; nginx's number for it in logs and metrics
		x.account(socket.Now())
		return false
	}
	return x.refuse(e)
}

// refuse answers e itself and reports whether the connection can take another request.
func (x *exchange) refuse(e *http1.Error) bool {
	x.status = e.Status
	if x.reason == "" {
		x.reason = e.Class
	}
	x.endProgress()
	return x.front.refuse(x, e)
}

// bodyRead says whether the request has been taken from the connection to its end.
func (x *exchange) bodyRead() bool {
	return x.req().Framing == http1.NoBody || x.whole || x.upload != nil && x.upload.readAll.Load()
}

// ownText is the body of an answer of Sluice's own, which names the request and the reason.
func (x *exchange) ownText(e *http1.Error) []byte {
	text := make([]byte, 0, 160)
	text = strconv.AppendInt(text, int64(e.Status), 10)
	text = append(text, ' ')
	text = append(text, statusText(e.Status)...)
	text = append(append(text, "\nreason: "...), e.Class...)
	text = append(append(text, ": "...), e.Text...)
	text = append(text, "\nrequest id: "...)
	return append(appendID(text, x.requestID()), '\n')
}

// ownFields appends the fields of an answer of Sluice's own, with a body of n bytes.
func (x *exchange) ownFields(b []byte, e *http1.Error, n int) []byte {
	from := len(b)
	b = append(b, *x.c.p.date.Load()...)
	b = append(b, "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"...)
	b = http1.AppendLength(b, int64(n))
	if e.Status == 405 {
		b = append(b, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"...)
	}
	b = x.appendRetryAfter(append(b, retryAfter(e)...))
	b = append(b, "X-Request-Id: "...)
	b = append(appendID(b, x.requestID()), '\r', '\n')
	if x.route == nil {
		return b
	}
	return x.route.response.own(b, from)
}
