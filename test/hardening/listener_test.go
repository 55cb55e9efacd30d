package hardening

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/net/http2"
)

// heard is what came back on a stream.
type heard struct {
	answers []*message // interim ones first; start is the status
	ended   bool
	reset   string
}

// listener reads what comes back, with the reader of x/net, which is strict about fields.
type listener struct {
	streams map[uint32]*heard
	goaway  string // the code
	closed  bool
	got     chan int // a value for each interim answer and each end
}

func (l *listener) of(id uint32) *heard {
	if l.streams[id] == nil {
		l.streams[id] = &heard{}
	}
	return l.streams[id]
}

// read takes frames until done says that it is enough or the connection ends.
func (l *listener) read(fr *http2.Framer, done func() bool) error {
	for !done() {
		f, err := fr.ReadFrame()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
				l.closed = true
				return nil
			}
			return err
		}
		if err := l.take(f); err != nil {
			return err
		}
	}
	return nil
}

func (l *listener) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return l.head(f)
	case *http2.DataFrame:
		h := l.of(f.StreamID)
		if len(h.answers) == 0 || h.ended {
			return fmt.Errorf("DATA on stream %d, which is not open for it", f.StreamID)
		}
		h.answers[len(h.answers)-1].body += string(f.Data())
		if h.ended = f.StreamEnded(); h.ended {
			l.got <- 1
		}
	case *http2.RSTStreamFrame:
		l.of(f.StreamID).reset = f.ErrCode.String()
	case *http2.GoAwayFrame:
		l.goaway = f.ErrCode.String()
	}
	return nil
}

func (l *listener) head(f *http2.MetaHeadersFrame) error {
	h := l.of(f.StreamID)
	if h.ended || f.Truncated {
		return fmt.Errorf("HEADERS on stream %d, which has ended", f.StreamID)
	}
	h.ended = f.StreamEnded()
	var lines []string
	for _, field := range f.RegularFields() {
		lines = append(lines, field.Name+": "+field.Value)
		if slices.Contains([]string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}, field.Name) {
			return fmt.Errorf("the client got %s: %s", field.Name, field.Value)
		}
	}
	status := f.PseudoValue("status")
	if status == "" {
		if len(h.answers) == 0 || !h.ended {
			return fmt.Errorf("stream %d: HEADERS without :status", f.StreamID)
		}
		h.answers[len(h.answers)-1].trailers = lines
		return nil
	}
	if n := len(h.answers); n > 0 && h.answers[n-1].start >= "200" {
		return fmt.Errorf("stream %d: a second answer", f.StreamID)
	}
	h.answers = append(h.answers, &message{start: status, fields: lines})
	if h.ended || status < "200" {
		l.got <- 1
	}
	return nil
}

// complete says whether all streams that answers speak of are over.
func (l *listener) complete(answers []answer) bool {
	for i := range answers {
		if h := l.streams[answers[i].stream]; h == nil || !h.ended && h.reset == "" {
			return false
		}
	}
	return true
}
