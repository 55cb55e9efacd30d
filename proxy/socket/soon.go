package socket

import "runtime"

// soon learns whether it pays to let others run before a read.
type soon struct {
	score int8
	turn  uint8
}

// try says whether to yield: as long as it paid lately, else now and then, to learn.
func (s *soon) try() bool {
	s.turn++
	return s.score > 0 || s.turn%16 == 0
}

// learn notes whether the bytes were there after a yield.
func (s *soon) learn(there bool) {
	if there {
		s.score = min(s.score+2, 8)
	} else {
		s.score = max(s.score-1, 0)
	}
}

// ReadSoon is Read for an answer that is about to come. On a busy machine others have work
// to do meanwhile: they go first, and the read then finds the bytes instead of waiting for
// them, which saves a system call and a trip through the poller. Where nobody else has work,
// or the answer takes longer, it is Read.
func (c *Conn) ReadSoon(p []byte) (int, error) {
	if !c.soon.try() {
		return c.Read(p)
	}
	runtime.Gosched()
	if c.held != none && c.low == nil && !c.in.stopped.Load() {
		if n, errno := rawRead(uintptr(c.held), p); errno == 0 && n > 0 {
			c.soon.learn(true)
			if c.in.pace.counts() {
				c.in.pace.end(n)
			}
			return n, nil
		}
	}
	c.waited = false
	n, err := c.Read(p)
	c.soon.learn(!c.waited)
	return n, err
}
