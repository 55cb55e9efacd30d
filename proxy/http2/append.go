package http2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// appendHeader appends the nine bytes that begin a frame, RFC 9113 section 4.1.
func appendHeader(dst []byte, length int, kind http2.FrameType, flags http2.Flags, stream uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// appendHead appends a header block in as many frames as it takes.
func appendHead(dst []byte, stream uint32, block []byte, most int, end bool) []byte {
	flags := http2.Flags(0)
	if end {
		flags = http2.FlagHeadersEndStream
	}
	kind := http2.FrameHeaders
	for len(block) > most {
		dst = append(appendHeader(dst, most, kind, flags, stream), block[:most]...)
		block, kind, flags = block[most:], http2.FrameContinuation, 0
	}
	const endHeaders = http2.FlagHeadersEndHeaders // the same bit in both frames
	return append(appendHeader(dst, len(block), kind, flags|endHeaders, stream), block...)
}

func appendWindow(dst []byte, stream, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(dst, 4, http2.FrameWindowUpdate, 0, stream), n)
}

func appendReset(dst []byte, stream uint32, code Code) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(dst, 4, http2.FrameRSTStream, 0, stream), uint32(code))
}

func appendGoAway(dst []byte, last uint32, code Code) []byte {
	dst = appendHeader(dst, 8, http2.FrameGoAway, 0, 0)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, last), uint32(code))
}

func appendPing(dst []byte, ack bool, data [8]byte) []byte {
	flags := http2.Flags(0)
	if ack {
		flags = http2.FlagPingAck
	}
	return append(appendHeader(dst, 8, http2.FramePing, flags, 0), data[:]...)
}

func appendSetting(dst []byte, id http2.SettingID, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, uint16(id)), v)
}

func flagsOf(end bool) http2.Flags {
	if end {
		return http2.FlagDataEndStream
	}
	return 0
}
