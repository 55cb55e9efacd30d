package http1

import (
	"strings"
	"testing"
)

// walk feeds body in pieces of at most step bytes, as a connection would.
func walk(body string, step int) (data string, trailers map[string]string, rest string, err *Error) {
	var c Chunked
	var buf []byte
	for {
		ev, piece, n, bad := c.Next(buf)
		if bad != nil {
			return data, nil, "", bad
		}
		data += string(piece)
		switch ev {
		case End:
			trailers = map[string]string{}
			for _, f := range c.Trailers {
				trailers[string(f.Name.Of(buf))] = string(f.Value.Of(buf))
			}
			return data, trailers, string(buf[n:]) + body, nil
		case More:
			if body == "" {
				return data, nil, "more", nil
			}
			k := min(step, len(body))
			buf = append(buf[n:len(buf):len(buf)], body[:k]...)
			body = body[k:]
		default:
			buf = buf[n:]
		}
	}
}

func TestChunkedAccepted(t *testing.T) {
	for name, c := range map[string]struct{ text, data, trailer string }{
		"empty":           {"0\n\n", "", ""},
		"one":             {"5\nhello\n0\n\n", "hello", ""},
		"two":             {"5\nhello\n6\n world\n0\n\n", "hello world", ""},
		"hex":             {"A\n0123456789\n0\n\n", "0123456789", ""},
		"leading zeros":   {"0005\nhello\n000\n\n", "hello", ""},
		"extension":       {"5;a\nhello\n0;b=c;d=\"e;\\\"f\"\n\n", "hello", ""},
		"trailer":         {"5\nhello\n0\nX-Sum: abc\n\n", "hello", "abc"},
		"CRLF in content": {"4\n\n\n\n0\n\n", "\r\n\r\n", ""},
	} {
		for _, step := range []int{1, 2, 3, 7, 1000} {
			data, trailers, rest, err := walk(crlf(c.text)+"NEXT", step)
			if err != nil || data != c.data || trailers["X-Sum"] != c.trailer || rest != "NEXT" {
				t.Errorf("%s by %d: %q, trailers %v, rest %q, error %v", name, step, data, trailers, rest, err)
			}
		}
	}
}

func TestChunkedRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want *Error
	}{
		"sign":                 {"+5\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"0x":                   {"0x5\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"space before":         {" 5\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"space behind":         {"5 \r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"tab behind":           {"5\t\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"empty size":           {"\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"underscore":           {"1_0\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"bare LF":              {"5\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"too many digits":      {"10000000000000005\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"long line":            {"5;" + strings.Repeat("a", 300) + "\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"endless line":         {"5;" + strings.Repeat("a", 300), ErrChunkSize},
		"extension, control":   {"5;a\x00b\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"extension, CR":        {"5;a\rb\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"extension, LF quoted": {"5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", ErrChunkSize},
		"extension, open":      {"5;a=\"b\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"extension, no name":   {"5;\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"extension, no value":  {"5;a=\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"extension, space":     {"5; a\r\nhello\r\n0\r\n\r\n", ErrChunkExt},
		"data too long":        {"5\r\nhelloo\r\n0\r\n\r\n", ErrChunkEnd},
		"data without CR":      {"5\r\nhello\n0\r\n\r\n", ErrChunkEnd},
		"data without CRLF":    {"5\r\nhello0\r\n\r\n", ErrChunkEnd},
		"trailer CL":           {"0\r\nContent-Length: 5\r\n\r\n", ErrTrailer},
		"trailer TE":           {"0\r\nTransfer-Encoding: chunked\r\n\r\n", ErrTrailer},
		"trailer Host":         {"0\r\nHost: x\r\n\r\n", ErrTrailer},
		"trailer bare LF":      {"0\r\nA: b\n\r\n", ErrBareLF},
		"trailer fold":         {"0\r\nA: b\r\n c\r\n\r\n", ErrFold},
		"trailers endless":     {"0\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 20), ErrHeadTooLarge},
	} {
		for _, step := range []int{1, 1000, 100000} {
			if data, _, _, err := walk(c.text, step); err != c.want {
				t.Errorf("%s by %d: %q, error %v, want %v", name, step, data, err, c.want)
			}
		}
	}
}
