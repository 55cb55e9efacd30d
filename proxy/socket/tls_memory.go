package socket

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"sync"
	"unsafe"
)

// crypto/tls keeps the buffers that records and handshake messages were read into for the
// life of a connection: up to 50 KiB after an upload. It has no way to give them up, so an
// idle connection's are taken away here, when they are empty. Where the fields are not what
// this was written for, nothing is done; a test says so.
var rawInputAt, handAt = bufferAt("rawInput"), bufferAt("hand")

// bufferAt is where tls.Conn has the bytes.Buffer of that name, or 0.
func bufferAt(name string) uintptr {
	f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[bytes.Buffer]() {
		return 0
	}
	return f.Offset
}

// keepBuffer is what a connection that serves small requests may keep, so that each of them
// does not allocate.
const keepBuffer = 2 << 10

// trim lets go of the buffers. The caller is the one that reads, and crypto/tls has just
// said that it holds nothing that could be read.
func trim(c *tls.Conn) {
	for _, at := range [2]uintptr{rawInputAt, handAt} {
		if at == 0 {
			continue
		}
		if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), at)); b.Len() == 0 && b.Cap() > keepBuffer {
			b.Reset()
			memory := b.AvailableBuffer()
			*b = bytes.Buffer{}
			if cap(memory) == inputSize {
				inputs.Put((*[inputSize]byte)(memory[:inputSize]))
			}
		}
	}
}

// inputSize is room for two records: crypto/tls reads ahead, and moves what it has to the start of its
// buffer only when that takes less than half of it.
const inputSize = 40 << 10

var inputs = sync.Pool{New: func() any { return new([inputSize]byte) }}

// lend gives crypto/tls, which holds nothing, memory for what is more than a small request. trim takes
// it back.
func lend(c *tls.Conn) {
	if rawInputAt == 0 {
		return
	}
	if b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), rawInputAt)); b.Len() == 0 && b.Cap() < inputSize {
		*b = *bytes.NewBuffer(inputs.Get().(*[inputSize]byte)[:0])
	}
}

// empty says that crypto/tls has taken no bytes that it has not made use of. It is false as well when
// that can not be told.
func empty(c *tls.Conn) bool {
	return rawInputAt != 0 && (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), rawInputAt)).Len() == 0
}
