package hardening

import (
	order "encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
)

// frame is an HTTP/2 frame as a case or a flood makes it, RFC 9113 section 4.1. Nothing keeps
// it from being wrong.
type frame struct {
	kind    http2.FrameType
	flags   http2.Flags
	stream  uint32
	payload string
}

func (f frame) String() string {
	b := order.BigEndian.AppendUint32(nil, uint32(len(f.payload))<<8|uint32(f.kind))
	b = order.BigEndian.AppendUint32(append(b, byte(f.flags)), f.stream)
	return string(b) + f.payload
}

// literal is a field without indexing and without Huffman codes, RFC 7541 section 6.2.2.
func literal(name, value string) string {
	return "\x00" + plainString(name) + plainString(value)
}

func plainString(s string) string {
	n := len(s)
	if n < 127 {
		return string([]byte{byte(n)}) + s
	}
	b := []byte{127}
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|128)
	}
	return string(append(b, byte(n))) + s
}

// usual are the pseudo-fields of an ordinary request.
func usual(method, host, path string) string {
	return literal(":method", method) + literal(":scheme", "http") + literal(":authority", host) + literal(":path", path)
}

// headers is a whole head on a stream.
func headers(id uint32, end bool, block string) frame {
	f := frame{http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, block}
	if end {
		f.flags |= http2.FlagHeadersEndStream
	}
	return f
}

// greeting is what a client sends first.
func greeting(settings ...http2.Setting) string {
	payload := []byte(nil)
	for _, s := range settings {
		payload = order.BigEndian.AppendUint32(order.BigEndian.AppendUint16(payload, uint16(s.ID)), s.Val)
	}
	return http2.ClientPreface + frame{kind: http2.FrameSettings, payload: string(payload)}.String()
}

// takeFrames adds a line about HTTP/2 to the case.
func (c *rawCase) takeFrames(word, rest string) (err error) {
	switch word {
	case ">>":
		if c.frame, err = parseFrame(rest); err != nil {
			return err
		}
		c.sends = append(c.sends, step{text: c.frame.String()})
	case "+", "+!":
		if c.frame == nil {
			return fmt.Errorf("%s before its frame", word)
		}
		name, value, _ := strings.Cut(rest, " ")
		if word == "+!" {
			name, value = rest, ""
		}
		if name, err = unescape(name); err != nil {
			return err
		}
		if value, err = unescape(value); err != nil {
			return err
		}
		if word == "+" {
			name = literal(name, value)
		}
		c.frame.payload += name
		c.sends[len(c.sends)-1].text = c.frame.String()
	case "stream":
		return c.stream(rest)
	case "connection":
		c.ends = strings.Split(rest, "|")
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func parseFrame(line string) (*frame, error) {
	kind, line, _ := strings.Cut(line, " ")
	f := &frame{}
	if kind == "raw" {
		for i, size := range []int{8, 8, 32} {
			word, rest, _ := strings.Cut(line, " ")
			n, err := strconv.ParseUint(word, 16, size)
			if err != nil {
				return nil, err
			}
			switch line = rest; i {
			case 0:
				f.kind = http2.FrameType(n)
			case 1:
				f.flags = http2.Flags(n)
			default:
				f.stream = uint32(n)
			}
		}
		text, err := unescape(line)
		f.payload = text
		return f, err
	}
	word, line, _ := strings.Cut(line, " ")
	id, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		return nil, err
	}
	f.stream, f.kind, f.flags = uint32(id), http2.FrameHeaders, http2.FlagHeadersEndHeaders
	var path string
	switch kind {
	case "get", "post":
		path, line, _ = strings.Cut(line, " ")
		f.payload = usual(strings.ToUpper(kind), "case.test", path)
	case "more":
		f.kind = http2.FrameContinuation
	case "data":
		f.kind, f.flags = http2.FrameData, 0
	case "head":
	default:
		return nil, fmt.Errorf("unknown frame %q", kind)
	}
	for {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "end":
			f.flags |= http2.FlagHeadersEndStream
		case "open":
			f.flags &^= http2.FlagHeadersEndHeaders
		default:
			text, err := unescape(line)
			f.payload += text
			return f, err
		}
		line = rest
	}
}

// stream is what may come back on one stream.
func (c *rawCase) stream(line string) error {
	id, rest, _ := strings.Cut(line, " ")
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return err
	}
	outcomes, rest, _ := strings.Cut(rest, " ")
	var statuses, resets []string
	for o := range strings.SplitSeq(strings.ReplaceAll(outcomes, "malformed", "400|PROTOCOL_ERROR"), "|") {
		if o[0] >= '1' && o[0] <= '9' {
			statuses = append(statuses, o)
		} else {
			resets = append(resets, o)
		}
	}
	if len(statuses) == 0 {
		statuses = []string{"none"}
	}
	if err := c.client(strings.Join(statuses, "|") + " " + rest); err != nil {
		return err
	}
	a := &c.answers[len(c.answers)-1]
	a.stream, a.resets = uint32(n), resets
	return nil
}
