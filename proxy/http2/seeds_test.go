package http2

import (
	"bytes"
	"io"
	"slices"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// sequence is bytes made by a Framer.
func sequence(write func(fr *xhttp2.Framer)) []byte {
	var b bytes.Buffer
	fr := xhttp2.NewFramer(&b, nil)
	fr.AllowIllegalWrites = true
	write(fr)
	return b.Bytes()
}

func settingsFrame() []byte {
	return sequence(func(fr *xhttp2.Framer) { _ = fr.WriteSettings() })
}

// skipPreface takes what a client says before its first frame.
func skipPreface(w io.Reader) {
	_, _ = io.ReadFull(w, make([]byte, len(xhttp2.ClientPreface)))
}

// indexed is a header block that fills the dynamic table, as most clients' do.
func indexed(enc *hpack.Encoder, b *bytes.Buffer, fields ...string) []byte {
	b.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: fields[i] == "authorization"})
	}
	return slices.Clone(b.Bytes())
}

func headers(id uint32, block []byte, end bool) xhttp2.HeadersFrameParam {
	return xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: end}
}

// clientSeeds are what clients send behind the preface and SETTINGS.
var clientSeeds = [][]byte{
	{},
	sequence(func(fr *xhttp2.Framer) { // a browser: priority, a table that grows and is cut down
		var b bytes.Buffer
		enc := hpack.NewEncoder(&b)
		p := headers(1, indexed(enc, &b, ":method", "GET", ":authority", "example.com", ":scheme", "https", ":path", "/a?b=c",
			"user-agent", "x", "cookie", "a=1", "cookie", "b=2", "authorization", "Basic eDp5"), true)
		p.Priority = xhttp2.PriorityParam{StreamDep: 0, Exclusive: true, Weight: 255}
		_ = fr.WriteHeaders(p)
		_ = fr.WriteHeaders(headers(3, indexed(enc, &b, ":method", "GET", ":authority", "example.com", ":scheme", "https", ":path", "/d", "user-agent", "x"), true))
		enc.SetMaxDynamicTableSize(0)
		_ = fr.WriteHeaders(headers(5, indexed(enc, &b, ":method", "HEAD", ":authority", "example.com", ":scheme", "https", ":path", "/e", "user-agent", "x"), true))
		_ = fr.WriteSettingsAck()
	}),
	sequence(func(fr *xhttp2.Framer) { // a body with padding and trailers
		_ = fr.WriteHeaders(headers(1, get("/", "content-type", "text/plain", "te", "trailers", "content-length", "9"), false))
		_ = fr.WriteDataPadded(1, false, []byte("hello"), make([]byte, 7))
		_ = fr.WriteData(1, false, []byte(" you"))
		_ = fr.WriteHeaders(headers(1, AppendField(nil, []byte("x-trailer"), []byte("late")), true))
	}),
	sequence(func(fr *xhttp2.Framer) { // a head in pieces, a body that ends by an empty frame
		block := get("/", "x-long", string(bytes.Repeat([]byte{'v'}, 300)))
		_ = fr.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:5], PadLength: 3})
		_ = fr.WriteContinuation(1, false, block[5:100])
		_ = fr.WriteContinuation(1, true, block[100:])
		_ = fr.WriteData(1, false, bytes.Repeat([]byte{'x'}, 2000))
		_ = fr.WriteWindowUpdate(0, 2000)
		_ = fr.WriteWindowUpdate(1, 2000)
		_ = fr.WriteData(1, true, nil)
	}),
	sequence(func(fr *xhttp2.Framer) { // everything that may come in between
		_ = fr.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingHeaderTableSize, Val: 0}, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 3},
			xhttp2.Setting{ID: xhttp2.SettingMaxFrameSize, Val: 1 << 14}, xhttp2.Setting{ID: 0xee, Val: 1})
		_ = fr.WritePing(false, [8]byte{1})
		_ = fr.WriteHeaders(headers(1, get("/"), true)) // its answer waits for a window
		_ = fr.WriteHeaders(headers(3, get("/"), false))
		_ = fr.WriteRSTStream(3, Cancel)
		_ = fr.WritePriority(5, xhttp2.PriorityParam{StreamDep: 1, Weight: 3})
		_ = fr.WriteRawFrame(0xee, 0, 0, []byte("?"))
		_ = fr.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 70_000})
		_ = fr.WriteGoAway(0, NoError, []byte("bye"))
		_ = fr.WriteHeaders(headers(5, get("/"), true))
	}),
	sequence(func(fr *xhttp2.Framer) { // a WebSocket
		b := appendLiteral(nil, 2, []byte("CONNECT"))
		b = appendLiteral(append(b, 0x87), 4, []byte("/chat"))
		b = appendLiteral(b, 1, []byte("example.com"))
		b = AppendField(b, []byte(":protocol"), []byte("websocket"))
		_ = fr.WriteHeaders(headers(1, AppendField(b, []byte("sec-websocket-version"), []byte("13")), false))
		_ = fr.WriteData(1, false, []byte{0x81, 0x02, 'h', 'i'})
		_ = fr.WriteData(1, true, nil)
	}),
}

// serverSeeds are what servers send behind SETTINGS, on the streams 1, 3 and 5.
var serverSeeds = [][]byte{
	{},
	sequence(func(fr *xhttp2.Framer) { // answers on all, with a table
		var b bytes.Buffer
		enc := hpack.NewEncoder(&b)
		_ = fr.WriteSettingsAck()
		_ = fr.WriteWindowUpdate(0, 1<<20)
		for id := uint32(1); id <= 5; id += 2 {
			_ = fr.WriteHeaders(headers(id, indexed(enc, &b, ":status", "200", "content-type", "text/plain", "content-length", "5", "set-cookie", "a=b"), false))
			_ = fr.WriteDataPadded(id, true, []byte("hello"), make([]byte, 3))
		}
	}),
	sequence(func(fr *xhttp2.Framer) { // interim answers, pieces, trailers, no more of the request wanted
		_ = fr.WriteHeaders(headers(1, AppendField(AppendStatus(nil, 103), []byte("link"), []byte("</a>")), false))
		_ = fr.WriteHeaders(headers(3, AppendStatus(nil, 100), false))
		block := AppendField(AppendStatus(nil, 200), []byte("content-type"), []byte("application/grpc"))
		_ = fr.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:4]})
		_ = fr.WriteContinuation(1, true, block[4:])
		_ = fr.WriteData(1, false, []byte{0, 0, 0, 0, 2, 'h', 'i'})
		_ = fr.WriteHeaders(headers(1, AppendField(nil, []byte("grpc-status"), []byte("0")), true))
		_ = fr.WriteHeaders(headers(3, AppendStatus(nil, 413), true))
		_ = fr.WriteRSTStream(3, NoError)
		_ = fr.WriteRSTStream(5, Refused)
	}),
	sequence(func(fr *xhttp2.Framer) { // limits that move, and the end in two steps
		_ = fr.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingMaxConcurrentStreams, Val: 1}, xhttp2.Setting{ID: xhttp2.SettingHeaderTableSize, Val: 0},
			xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 100_000}, xhttp2.Setting{ID: xhttp2.SettingMaxFrameSize, Val: 1<<24 - 1})
		_ = fr.WriteGoAway(1<<31-1, NoError, nil)
		_ = fr.WritePing(false, [8]byte{2})
		_ = fr.WriteHeaders(headers(1, AppendField(AppendStatus(nil, 204), []byte("x"), []byte("y")), true))
		_ = fr.WriteGoAway(3, NoError, nil)
		_ = fr.WriteWindowUpdate(0, 200_000)
		_ = fr.WriteHeaders(headers(3, AppendStatus(nil, 200), false))
		_ = fr.WriteData(3, true, []byte("late"))
	}),
	sequence(func(fr *xhttp2.Framer) { // nobody may push
		_ = fr.WritePushPromise(xhttp2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: get("/"), EndHeaders: true})
	}),
}
