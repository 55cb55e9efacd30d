package health

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Ask is httpAsk for endpoints that speak HTTP/2 only.
func http2Ask(t Target, e expectation) askFunc {
	fields := probeFields(t.Check)
	return func(conn net.Conn, address string) (int, error) {
		head := http2Head(t, "GET", t.Check.Path, cmp.Or(t.Check.Host, address), fields)
		a, err := http2Exchange(conn, head, nil)
		if err != nil {
			return a.status, err
		}
		if err = e.status(a.status); err == nil && e.body != nil {
			err = e.matches(a.body)
		}
		return a.status, err
	}
}

// http2Head lists the fields of a request in the order of RFC 9113 section 8.3.
func http2Head(t Target, method, path, authority string, fields []field) []field {
	scheme := "http"
	if t.Secure != nil {
		scheme = "https"
	}
	head := []field{{":method", method}, {":scheme", scheme}, {":path", path}, {":authority", authority}}
	for _, f := range fields {
		head = append(head, field{strings.ToLower(f.name), f.value})
	}
	return head
}

// answer is what came back on the only stream of a connection.
type answer struct {
	status int
	// fields of the head, and of the trailers on top.
	fields map[string]string
	body   []byte // at most maxProbeBody
}

// http2Exchange sends one request with a small body and reads its answer, up to maxProbeBody:
// that is as much as may come without a word from us (RFC 9113 section 6.9.2).
func http2Exchange(conn net.Conn, head []field, body []byte) (answer, error) {
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	w := http2.NewFramer(&out, nil)
	if err := errors.Join(
		w.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(head), EndHeaders: true, EndStream: body == nil}),
	); err != nil {
		return answer{}, err
	}
	if body != nil {
		if err := w.WriteData(1, true, body); err != nil {
			return answer{}, err
		}
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		return answer{}, err
	}
	r := http2.NewFramer(conn, conn)
	r.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	r.SetMaxReadFrameSize(16 << 10) // what we have not changed by a setting
	r.MaxHeaderListSize = maxProbeHead
	a := answer{fields: map[string]string{}}
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return a, answerError(err, "HTTP/2")
		}
		if done, err := a.take(r, f); done || err != nil {
			return a, err
		}
	}
}

func encode(head []field) []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range head {
		_ = enc.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}) // a bytes.Buffer takes everything
	}
	return block.Bytes()
}

// take takes in a frame and says whether the answer is complete.
func (a *answer) take(w *http2.Framer, f http2.Frame) (done bool, err error) {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			err = w.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			err = w.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		return a.head(f)
	case *http2.DataFrame:
		a.body = append(a.body, f.Data()...)
		return f.StreamEnded() || len(a.body) >= maxProbeBody-1, nil
	case *http2.RSTStreamFrame:
		err = fmt.Errorf("reset the stream: %s", f.ErrCode)
	case *http2.GoAwayFrame:
		if f.LastStreamID == 0 || f.ErrCode != http2.ErrCodeNo {
			err = fmt.Errorf("went away: %s %s", f.ErrCode, printable(f.DebugData()))
		}
	}
	return false, err
}

func (a *answer) head(f *http2.MetaHeadersFrame) (done bool, err error) {
	if text := f.PseudoValue("status"); text != "" {
		status, err := strconv.Atoi(text)
		if err != nil {
			return false, fmt.Errorf("answered with the status %q", printable([]byte(text)))
		}
		if status < 200 {
			return false, nil
		}
		a.status = status
	}
	if a.status == 0 {
		return false, errors.New("answered without a status")
	}
	for _, h := range f.RegularFields() {
		a.fields[h.Name] = h.Value
	}
	return f.StreamEnded(), nil
}
