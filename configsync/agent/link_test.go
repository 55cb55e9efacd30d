package agent

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// TestSettleIsNotLost: the control plane asks once, and forgets what the agent has heard. While
// the agent is busy with a bundle, a newer answer must not take the place of what was asked.
func TestSettleIsNotLost(t *testing.T) {
	l := &link{out: make(chan protocol.SyncResponse, 1)}
	file := protocol.SettleFile{Path: "/etc/nginx/nginx.conf", Have: "1", Hunks: []string{"c"}}
	l.deliver(protocol.SyncResponse{Desired: "1", Settle: &protocol.Settle{Digest: "a", Revert: []string{"b"}, Files: []protocol.SettleFile{file}}})
	l.deliver(protocol.SyncResponse{Desired: "2", Settle: &protocol.Settle{Digest: "ab", Revert: []string{"a", "b"}, Files: []protocol.SettleFile{file}, Allowed: []string{"x"}}})
	l.deliver(protocol.SyncResponse{Desired: "3", Settle: &protocol.Settle{}})
	l.deliver(protocol.SyncResponse{Desired: "4"})
	got := <-l.out
	if s := got.Settle; got.Desired != "4" || s == nil || !slices.Equal(s.Revert, []string{"a", "b"}) || len(s.Files) != 1 || len(s.Allowed) != 0 {
		t.Errorf("got %s %+v", got.Desired, got.Settle)
	}
}
