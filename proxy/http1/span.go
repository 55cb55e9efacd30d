package http1

// Span is a piece of the caller's buffer, as offsets, so that it stays right when the
// buffer is moved to a larger one.
type Span struct{ Start, End uint32 }

// Of returns the piece of b. It aliases b.
func (s Span) Of(b []byte) []byte { return b[s.Start:s.End] }

// Len is the number of bytes.
func (s Span) Len() int { return int(s.End - s.Start) }

// Empty says whether there is nothing.
func (s Span) Empty() bool { return s.Start == s.End }

func span(start, end int) Span { return Span{uint32(start), uint32(end)} }
