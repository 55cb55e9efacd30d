package loadgen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/origin"
)

// key is any 16 bytes in base64.
const key = "dGhlIHNhbXBsZSBub25jZQ=="

// webSocket sends messages and waits for each to come back.
func webSocket(ctx context.Context, c Config) (Result, error) {
	end := time.Now().Add(c.Duration)
	return clients(ctx, c, func(ctx context.Context) (all latencies, err error) {
		nc, r, err := c.upgrade()
		if err != nil {
			return nil, err
		}
		defer func() { _ = nc.Close() }()
		frame := message(c.Size)
		for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
			if err := swap(nc, r, frame); err != nil {
				return nil, err
			}
			began := now
			now = time.Now()
			all = append(all, now.Sub(began))
		}
		return all, nil
	})
}

// upgrade opens a WebSocket.
func (c Config) upgrade() (net.Conn, *bufio.Reader, error) {
	nc, err := net.DialTimeout("tcp", c.Address, requestTimeout)
	if err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(nc, 2048)
	request := c.request("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n")
	answer, err := c.ask(nc, r, request)
	if err == nil && (answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != origin.Accept(key)) {
		err = fmt.Errorf("the WebSocket was refused: status %d", answer.StatusCode)
	}
	if err != nil {
		_ = nc.Close()
		return nil, nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(time.Hour)) // one deadline; runs are shorter
	return nc, r, nil
}

// message is a whole binary message of size bytes, masked as clients must (RFC 6455,
// section 5.3).
func message(size int) []byte {
	frame := []byte{0x82, 0x80 | byte(size), 1, 2, 3, 4}
	for i := range size {
		frame = append(frame, byte('a'+i%26)^frame[2+i%4])
	}
	return frame
}

// swap sends a message and reads it back.
func swap(nc net.Conn, r *bufio.Reader, frame []byte) error {
	if _, err := nc.Write(frame); err != nil {
		return err
	}
	size := len(frame) - 6
	answer, err := r.Peek(2 + size)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read the echo: %w", err)
	}
	if answer[0] != 0x82 || int(answer[1]) != size {
		return fmt.Errorf("the echo begins with % x", answer[:2])
	}
	for i := range size {
		if answer[2+i] != byte('a'+i%26) {
			return fmt.Errorf("the echo differs at byte %d", i)
		}
	}
	_, err = r.Discard(2 + size)
	return err
}
