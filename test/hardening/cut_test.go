package hardening

import (
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// The ways to cut what is sent. Each piece is a segment of its own, since the sender waits
// a moment before the next.
func whole(text string) []string { return []string{text} }

func slowly(pieces []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(300 * time.Microsecond)
			}
			if !yield(p) {
				return
			}
		}
	}
}

// atRandom cuts at a few places.
func atRandom(r *rand.Rand) func(string) []string {
	return func(text string) []string {
		var at []int
		for range min(len(text)-1, 1+r.IntN(10)) {
			at = append(at, 1+r.IntN(len(text)-1))
		}
		return pieces(text, at)
	}
}

// inLineEnds cuts behind each CR, as long as there are not too many.
func inLineEnds(text string) []string {
	var at []int
	for i := range text {
		if text[i] == '\r' && len(at) < 30 && i+1 < len(text) {
			at = append(at, i+1)
		}
	}
	return pieces(text, at)
}

func pieces(text string, at []int) (out []string) {
	slices.Sort(at)
	at = slices.Compact(at)
	from := 0
	for _, i := range at {
		out = append(out, text[from:i])
		from = i
	}
	return append(out, text[from:])
}
