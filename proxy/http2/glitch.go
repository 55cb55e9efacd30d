package http2

// leak is how many glitches are forgotten a second.
const leak = 20

// glitches counts the frames that floods are made of: resets, pings, settings, empty frames
// and the like. A few are everybody's right; more than the limit in one go is abuse.
type glitches struct {
	level int64 // in billionths, so that nanoseconds times leak can be taken from it
	at    int64 // when it was counted
	limit int64
}

const glitch = int64(1e9)

// note counts one and says whether it is too many.
func (g *glitches) note(now int64) bool {
	g.level = max(0, g.level-(now-g.at)*leak) + glitch
	g.at = now
	return g.level > g.limit*glitch
}

// forgive takes one back.
func (g *glitches) forgive() { g.level = max(0, g.level-glitch) }
