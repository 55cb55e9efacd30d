package agenttest

import "testing"

// FreeAddress is a loopback address that nobody listened on a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return freeAddress(t)
}
