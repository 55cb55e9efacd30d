package http2

import (
	"cmp"
	"time"

	"github.com/sluice-gateway/sluice/proxy/socket"
)

// Config bounds a connection. Zero fields mean their defaults.
type Config struct {
	// Streams is how many streams the peer may have open. As many again may be ending on our side.
	// Default 128.
	Streams uint32
	// Window is how many bytes of a stream's body may wait to be taken. Default 64 KiB as a
	// server, 256 KiB as a client. A connection's memory is bounded by twice Streams times Window.
	Window uint32
	// HeadBytes bounds a head as RFC 9113 section 6.5.2 counts it. Default 64 KiB.
	HeadBytes int
	// Idle is how long a connection without streams stays open. Default 75 s.
	Idle time.Duration
	// Frame bounds the time from a frame's first byte to its last, and from the first frame
	// of a head to its last. Default 30 s.
	Frame time.Duration
	// Stall is how long the peer may take nothing of what is sent. Default 60 s.
	Stall time.Duration
	// Sends is the pace at which the peer has to take each stream's answer, and what is written
	// to the connection as long as something waits. Its Stall goes before the one above.
	// Default: any pace.
	Sends socket.Pace
	// Glitches is how many frames of the kinds that floods are made of may come in one go.
	// They are forgotten at 20 a second, and one with each stream that ends well. Default 500.
	Glitches int
}

func (c Config) complete(client bool) Config {
	window := uint32(64 << 10)
	if client {
		window = 256 << 10
	}
	c.Streams = cmp.Or(c.Streams, 128)
	c.Window = cmp.Or(c.Window, window)
	c.HeadBytes = cmp.Or(c.HeadBytes, 64<<10)
	c.Idle = cmp.Or(c.Idle, 75*time.Second)
	c.Frame = cmp.Or(c.Frame, 30*time.Second)
	c.Stall = cmp.Or(c.Stall, 60*time.Second)
	c.Glitches = cmp.Or(c.Glitches, 500)
	return c
}
