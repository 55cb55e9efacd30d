package proxyproto

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// block2 builds a header of version 2 from its parts.
func block2(command, family byte, rest string) string {
	return signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(rest)))) + rest
}

func tlv(kind byte, value string) string {
	return string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

// sealed puts the right checksum into a header whose last field is a checksum of zeros.
func sealed(h string) string {
	b := []byte(h)
	binary.BigEndian.PutUint32(b[len(b)-4:], checksum(b, len(b)-4))
	return string(b)
}

const (
	four = "\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"
	six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x01\xbb"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\xa8\x00\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\xa8\x00\x0b\xdc\x04\x01\xbb"
)

// headers are good and bad ones; source "" stands for a header without addresses.
var headers = []struct {
	name, header string
	source, dest string
	local        bool
	err          error
}{
	// The examples of the specification, section 2.1.
	{name: "spec TCP4", header: "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", source: "192.168.0.1:56324", dest: "192.168.0.11:443"},
	{name: "spec TCP4 longest", header: "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", source: "255.255.255.255:65535", dest: "255.255.255.255:65535"},
	{name: "spec TCP6 longest", header: "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		source: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", dest: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{name: "spec unknown short", header: "PROXY UNKNOWN\r\n"},
	{name: "spec unknown longest", header: "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"},

	{name: "v1 shortest", header: "PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n", source: "1.1.1.1:0", dest: "2.2.2.2:0"},
	{name: "v1 TCP6 shortest", header: "PROXY TCP6 :: :: 1 1\r\n", source: "[::]:1", dest: "[::]:1"},
	{name: "v1 mapped", header: "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n", source: "1.2.3.4:1", dest: "5.6.7.8:2"},
	{name: "v1 leading zero in port", header: "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", err: ErrMalformed},
	{name: "v1 leading zero in address", header: "PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 sign", header: "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", err: ErrMalformed},
	{name: "v1 port too large", header: "PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n", err: ErrMalformed},
	{name: "v1 two spaces", header: "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 tab", header: "PROXY TCP4 1.1.1.1\t2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 trailing space", header: "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", err: ErrMalformed},
	{name: "v1 wrong family", header: "PROXY TCP4 ::1 ::2 1 2\r\n\r\n\r\n\r\n\r\n", err: ErrMalformed},
	{name: "v1 TCP6 with v4", header: "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 zone", header: "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n", err: ErrMalformed},
	{name: "v1 name", header: "PROXY TCP4 localhost 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 no family", header: "PROXY  1.1.1.1 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 lower case", header: "PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 UNKNOWNS", header: "PROXY UNKNOWNS\r\n", err: ErrMalformed},
	{name: "v1 UDP4", header: "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", err: ErrMalformed},
	{name: "v1 bare CR", header: "PROXY UNKNOWN\rX\n", err: ErrMalformed},
	{name: "v1 without end", header: "PROXY UNKNOWN " + strings.Repeat("x", 200), err: ErrTooLong},
	{name: "v1 one too long", header: "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", err: ErrTooLong},

	{name: "v2 TCP4", header: block2(0x21, 0x11, four), source: "192.168.0.1:56324", dest: "192.168.0.11:443"},
	{name: "v2 TCP6", header: block2(0x21, 0x21, six), source: "[2001:db8::1]:56324", dest: "[2001:db8::2]:443"},
	{name: "v2 mapped", header: block2(0x21, 0x21, mapped), source: "192.168.0.1:56324", dest: "192.168.0.11:443"},
	{name: "v2 UDP4", header: block2(0x21, 0x12, four)},
	{name: "v2 UNIX", header: block2(0x21, 0x31, strings.Repeat("/", 216))},
	{name: "v2 unspec", header: block2(0x21, 0x00, "")},
	{name: "v2 unspec with fields", header: block2(0x21, 0x00, tlv(0x04, "xx"))},
	{name: "v2 local", header: block2(0x20, 0x00, ""), local: true},
	{name: "v2 local with anything", header: block2(0x20, 0x55, "\x03\xff\xffgarbage"), local: true},
	{name: "v2 fields", header: block2(0x21, 0x11, four+tlv(0x02, "shop.test")+tlv(0x04, "")+tlv(0xe0, "own")), source: "192.168.0.1:56324", dest: "192.168.0.11:443"},
	{name: "v2 checksum", header: sealed(block2(0x21, 0x11, four+tlv(0x01, "h2")+tlv(0x03, "\x00\x00\x00\x00"))), source: "192.168.0.1:56324", dest: "192.168.0.11:443"},
	{name: "v2 wrong checksum", header: block2(0x21, 0x11, four+tlv(0x03, "\x01\x02\x03\x04")), err: ErrChecksum},
	{name: "v2 short checksum", header: block2(0x21, 0x11, four+tlv(0x03, "\x01")), err: ErrMalformed},
	{name: "v2 field beyond the end", header: block2(0x21, 0x11, four+"\x04\x00\x05abcd"), err: ErrMalformed},
	{name: "v2 half a field", header: block2(0x21, 0x11, four+"\x04\x00"), err: ErrMalformed},
	{name: "v2 addresses too short", header: block2(0x21, 0x21, four), err: ErrMalformed},
	{name: "v2 unknown command", header: block2(0x22, 0x11, four), err: ErrMalformed},
	{name: "v2 version 3", header: block2(0x31, 0x11, four), err: ErrMalformed},
	{name: "v2 unknown family", header: block2(0x21, 0x41, four), err: ErrMalformed},
	{name: "v2 unknown transport", header: block2(0x21, 0x13, four), err: ErrMalformed},
	{name: "v2 too long", header: block2(0x21, 0x11, four+strings.Repeat("x", MaxSize)), err: ErrTooLong},

	{name: "HTTP", header: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", err: ErrNone},
	{name: "HTTP/2", header: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", err: ErrNone},
	{name: "PROXYX", header: "PROXYX TCP4 1.1.1.1", err: ErrNone},
	{name: "signature broken late", header: signature[:11] + "\r" + "\x21\x11\x00\x00", err: ErrNone},
	{name: "TLS", header: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", err: ErrNone},
}

func TestParse(t *testing.T) {
	for _, c := range headers {
		t.Run(c.name, func(t *testing.T) {
			const follows = "GET / HTTP/1.1\r\n"
			h, size, err := Parse([]byte(c.header + follows))
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if size != len(c.header) || h.Local != c.local {
				t.Errorf("size %d of %d, local %v", size, len(c.header), h.Local)
			}
			var src, dst netip.AddrPort
			if c.source != "" {
				src, dst = netip.MustParseAddrPort(c.source), netip.MustParseAddrPort(c.dest)
			}
			if h.Source != src || h.Destination != dst {
				t.Errorf("%v -> %v, want %v -> %v", h.Source, h.Destination, src, dst)
			}
		})
	}
}

// Whatever the pieces in which a header comes, a reader that asks Need for the next one
// reads exactly the header, and learns of a bad one no later than at its end.
func TestNeed(t *testing.T) {
	for _, c := range headers {
		t.Run(c.name, func(t *testing.T) {
			got, steps := 0, 0
			for {
				n, err := Need([]byte(c.header[:got]))
				if err != nil || n == 0 {
					if c.err == nil && (err != nil || got != len(c.header)) {
						t.Errorf("stopped after %d of %d bytes: %v", got, len(c.header), err)
					}
					return
				}
				if c.err == nil && got+n > len(c.header) {
					t.Fatalf("wants %d bytes after %d of %d", n, got, len(c.header))
				}
				got = min(got+n, len(c.header))
				if steps++; steps > 60 {
					t.Fatalf("%d steps for %d bytes", steps, got)
				}
				if c.err != nil && got == len(c.header) {
					if _, _, err := Parse([]byte(c.header)); err == nil {
						t.Error("a bad header is accepted")
					}
					return
				}
			}
		})
	}
	for i := range len(signature) {
		if _, err := Need([]byte(signature[:i])); err != nil {
			t.Errorf("%d bytes of the signature: %v", i, err)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct{ src, dst string }{
		{"1.2.3.4:5", "6.7.8.9:10"}, {"[2001:db8::1]:5", "[::1]:65535"}, {"[::ffff:1.2.3.4]:5", "6.7.8.9:0"},
	} {
		for _, v := range []Version{V1, V2} {
			src, dst := netip.MustParseAddrPort(c.src), netip.MustParseAddrPort(c.dst)
			b := Append([]byte("before"), v, src, dst)
			h, size, err := Parse(b[6:])
			if err != nil || size != len(b)-6 || h.Version != v || h.Source.String() != netip.AddrPortFrom(src.Addr().Unmap(), src.Port()).String() || h.Destination != dst {
				t.Errorf("version %d of %v: %+v, %v", v, c, h, err)
			}
		}
	}
	four, six := netip.MustParseAddrPort("1.2.3.4:5"), netip.MustParseAddrPort("[::1]:5")
	for _, v := range []Version{V1, V2} {
		for _, b := range [][]byte{AppendUnknown(nil, v), Append(nil, v, four, six), Append(nil, v, netip.AddrPort{}, four)} {
			h, _, err := Parse(b)
			if err != nil || h.Source.IsValid() || h.Local != (v == V2) {
				t.Errorf("version %d: %q gives %+v, %v", v, b, h, err)
			}
		}
	}
}

func TestBegins(t *testing.T) {
	for s, want := range map[string]bool{"PROXY ": true, "PROXY": false, signature: true, "\r\n\r\n\x00\r": true, "\r\n\r\n": false, "GET / HTTP/1.1": false, "\r\n\r\nGET /": false} {
		if Begins([]byte(s)) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// FuzzParse holds the parser to what its callers rely on: no read beyond the header, no
// header that means something else when it is written again.
func FuzzParse(f *testing.F) {
	for _, c := range headers {
		f.Add([]byte(c.header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, err := Parse(b)
		if err != nil {
			if size != 0 || h != (Header{}) {
				t.Fatalf("refused with %v, and still %+v, %d", err, h, size)
			}
			return
		}
		if size > len(b) || size > MaxSize || size < shortest {
			t.Fatalf("size %d of %d", size, len(b))
		}
		for i := range size {
			if n, err := Need(b[:i]); err != nil || n <= 0 || i+n > size {
				t.Fatalf("after %d of %d bytes Need says %d, %v", i, size, n, err)
			}
		}
		if h.Local && h.Version != V2 || h.Local && h.Source.IsValid() || h.Source.IsValid() != h.Destination.IsValid() {
			t.Fatalf("%+v", h)
		}
		if !h.Source.IsValid() || h.Source.Addr().Is4() != h.Destination.Addr().Is4() {
			return // without addresses, or mapped beside others, which Append does not write
		}
		again, _, err := Parse(Append(nil, h.Version, h.Source, h.Destination))
		if err != nil || again != h {
			t.Fatalf("%+v is written as %+v, %v", h, again, err)
		}
	})
}
