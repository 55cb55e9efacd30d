package origin

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// magic is the GUID of RFC 6455, section 1.3.
const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Accept is the Sec-WebSocket-Accept to a Sec-WebSocket-Key.
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + magic))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// serveWebSocket upgrades the connection and sends every small message back. A request
// without an upgrade gets a plain answer, so that it can be asked whether it is there.
func serveWebSocket(nc net.Conn, served *atomic.Int64) {
	defer func() { _ = nc.Close() }()
	r := bufio.NewReaderSize(nc, 64<<10)
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if strings.EqualFold(request.Header.Get("Upgrade"), "websocket") {
			text := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
				Accept(request.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
			if _, err := nc.Write([]byte(text)); err == nil {
				echo(nc, r, served)
			}
			return
		}
		if _, err := nc.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")); err != nil {
			return
		}
	}
}

// echo answers masked frames of up to 125 bytes (RFC 6455, section 5.2) until one is
// something else.
func echo(nc net.Conn, r *bufio.Reader, served *atomic.Int64) {
	out := make([]byte, 0, 64<<10)
	for {
		head, err := r.Peek(6)
		if err != nil {
			return
		}
		n := int(head[1] & 0x7f)
		if head[0]&0x0f > 2 || head[1]&0x80 == 0 || n > 125 {
			return // a close, or what the load does not send
		}
		frame, err := r.Peek(6 + n)
		if err != nil {
			return
		}
		out = append(out, frame[0], byte(n))
		for i, b := range frame[6:] {
			out = append(out, b^frame[2+i%4])
		}
		_, _ = r.Discard(6 + n)
		served.Add(1)
		if r.Buffered() == 0 || len(out) > 32<<10 {
			if _, err := nc.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}
