package proxy

import (
	"net"
	"testing"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// lastMoment is a client's side whose body ends at the moment at which nobody waits for it any more.
type lastMoment struct {
	front
	u *upload
}

func (f *lastMoment) stop()   { close(f.u.done) }
func (f *lastMoment) resume() {}

// TestStoppedUpload: over a connection to an endpoint that was told to send nothing more nobody else's
// request goes, not even when the body had ended just then.
func TestStoppedUpload(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	u := &upload{active: true, done: make(chan struct{})}
	x := &exchange{front: &lastMoment{u: u}, upload: u, link: link{conn: socket.New(ours)}}
	if x.stopUpload() {
		t.Error("it would be used again")
	}
}
