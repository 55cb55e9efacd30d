package proxy

import (
	"hash/maphash"

	"github.com/sluice-gateway/sluice/gateway"
)

// limitKey finds out whose request is counted by a limit, as a number: what stands for the
// client, the host or the value of a header. Numbers of two keys meet by chance only, since
// nobody knows the seed.
type limitKey struct {
	by     string
	header []byte // in lower case
}

func newLimitKey(k gateway.LimitKey) limitKey { return limitKey{by: k.By, header: []byte(k.Header)} }

var limitSeed = maphash.MakeSeed()

// The first byte of what is hashed, so that an address as a header's value is not the client.
const (
	ofClient = iota
	ofHost
	ofHeader
)

func (k *limitKey) of(x *exchange) uint64 {
	switch k.by {
	case gateway.KeyRoute:
		return 0
	case gateway.KeyHost:
		host := x.req().Host.Of(x.head())
		if n := len(host); n > 0 && host[n-1] == '.' {
			host = host[:n-1]
		}
		return hashOf(ofHost, host)
	case gateway.KeyHeader:
		if v := x.header(k.header); len(v) > 0 {
			return hashOf(ofHeader, v)
		}
	}
	a := clientKey(x.client()).As16()
	return hashOf(ofClient, a[:])
}

// hashOf makes no difference between cases for a host.
func hashOf(kind byte, text []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(limitSeed)
	_ = h.WriteByte(kind) // never fails, says hash/maphash
	if kind != ofHost {
		_, _ = h.Write(text)
		return h.Sum64()
	}
	for _, c := range text {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		_ = h.WriteByte(c)
	}
	return h.Sum64()
}
