package gateway

import (
	"bytes"
	"strings"
)

// Takes says whether the route takes a request for host, without its port, that has found
// the entry of that name: all of them, but for a wildcard and [EffectiveRoute.SingleLabel].
func (e *EffectiveRoute) Takes(entry string, host []byte) bool {
	suffix, wild := strings.CutPrefix(entry, "*.")
	if !e.SingleLabel || !wild {
		return true
	}
	host = bytes.TrimSuffix(host, []byte("."))
	first := len(host) - len(suffix) - 1 // the length of what stands for the star
	return first < 0 || bytes.IndexByte(host[:first], '.') < 0
}
