package proxyproto

import (
	"errors"
	"net/netip"
)

// Version of the protocol.
type Version uint8

// The versions: a line of text, and a binary block.
const (
	V1 Version = 1
	V2 Version = 2
)

// Header is what a sender says of a connection.
type Header struct {
	Version Version
	// Local: the sender speaks for itself, a health check for example. The addresses are then
	// those of the connection.
	Local bool
	// Source is the client, Destination the address that it connected to. Both are the zero
	// AddrPort when the sender does not know them, or when they are no IP addresses (UNIX
	// sockets) or not of TCP.
	Source, Destination netip.AddrPort
}

// MaxSize bounds a header in bytes, as nginx does. Version 1 ends after 107.
const MaxSize = 4096

// The reasons for refusing a header.
var (
	// ErrShort: the header is not complete; Need says how much is missing.
	ErrShort = errors.New("PROXY header is not complete")
	// ErrNone: what was sent is no PROXY header.
	ErrNone = errors.New("no PROXY header")
	// ErrMalformed: it begins like a PROXY header, and is none.
	ErrMalformed = errors.New("malformed PROXY header")
	// ErrTooLong: longer than MaxSize, or than the 107 bytes of version 1.
	ErrTooLong = errors.New("PROXY header is too long")
	// ErrChecksum: the CRC-32C that the header carries is not its own.
	ErrChecksum = errors.New("PROXY header has a wrong checksum")
)
