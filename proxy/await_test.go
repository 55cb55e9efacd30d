package proxy

import (
	"errors"
	"io"
	"testing"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// An endpoint that gives up at the deadline of a call is late, and not gone: gRPC clients ask
// again after UNAVAILABLE, and not after DEADLINE_EXCEEDED.
func TestResetAtTheDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		deadline int64
		want     error
	}{
		"past":     {socket.Now() - 1, errSlowUpstream},
		"to come":  {socket.Now() + int64(patience), errNoAnswer},
		"none set": {0, errNoAnswer},
	} {
		x := &exchange{deadline: c.deadline}
		if err := x.waitOn(io.EOF, socket.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
