package socket

import (
	"crypto/tls"
	"reflect"
	"unsafe"
)

// What crypto/tls needs for a record is in six places, and for most records of an edge that
// serves many clients none of them is in the processor's cache any more. One after the other,
// each access waits for memory. So the processor is told of all of them while the kernel moves
// the bytes, which takes much longer.

// near holds the places of one direction, blockSize bytes each. nil: there is none.
type near [6]unsafe.Pointer

const blockSize = 256

// findNear finds the places of a connection whose handshake is done. Where the fields are not what
// this was written for, places are left out; a test says so.
func findNear(c *tls.Conn) (reads, writes near) {
	v := reflect.ValueOf(c).Elem()
	reads, writes = ofHalf(v.FieldByName("in")), ofHalf(v.FieldByName("out"))
	reads[0], writes[0] = unsafe.Pointer(c), unsafe.Pointer(c)
	if rawInputAt != 0 {
		reads[5] = unsafe.Add(unsafe.Pointer(c), rawInputAt)
	}
	return reads, writes
}

// ofHalf finds the places that only one direction has.
func ofHalf(half reflect.Value) (n near) {
	if half.Kind() != reflect.Struct {
		return n
	}
	n[1] = half.Addr().UnsafePointer()
	cipher := pointee(half.FieldByName("cipher"))
	if !cipher.IsValid() {
		return n
	}
	n[2] = cipher.Addr().UnsafePointer()
	if aead := pointee(cipher.FieldByName("aead")); aead.IsValid() {
		n[3] = aead.Addr().UnsafePointer() // the round keys; the tables of the hash are at the end
		n[4] = unsafe.Add(n[3], max(blockSize, aead.Type().Size())-blockSize)
	}
	return n
}

// pointee is the struct that an interface has a pointer to.
func pointee(v reflect.Value) (to reflect.Value) {
	if v.Kind() != reflect.Interface {
		return to
	}
	if p := v.Elem(); p.Kind() == reflect.Pointer && p.Type().Elem().Kind() == reflect.Struct {
		return p.Elem()
	}
	return to
}

// WritesSoon says that something will be written soon, and that a system call comes before.
func (c *Conn) WritesSoon() {
	if c.low != nil {
		prefetch(&c.low.writes)
	}
}
