package socket

// Meter measures with a Pace what moves elsewhere than on a connection of its own, such as a
// stream of HTTP/2. The zero value expects nothing. Times are in the unit of Now.
type Meter struct{ pace pace }

// NewMeter makes a Meter that has seen nothing move yet. nil: any speed will do.
func NewMeter(p *Pace) Meter { return Meter{pace{Pace: p}} }

// Begin starts a wait for the peer, unless one is under way.
func (m *Meter) Begin(now int64) {
	if m.pace.counts() {
		m.pace.begin(now)
	}
}

// End ends the wait, if there is one, and counts n bytes that the peer sent or took.
func (m *Meter) End(n int) { m.pace.end(n) }

// By is when the wait that is under way has to end: at want (0: never), or earlier when the
// peer is too slow by then.
func (m *Meter) By(want int64) int64 { return m.pace.by(want) }

// Due is when the wait that is under way has lasted too long for what was moved, however long
// the peer may take nothing at all; 0: never.
func (m *Meter) Due() int64 {
	if !m.pace.counts() || m.pace.since == 0 {
		return 0
	}
	return m.pace.due()
}
