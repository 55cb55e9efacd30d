package hardening

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// Every raw request is answered as its case says, the origin sees only what it may see, and
// the next user of the connections gets its own answers.
func TestRawRequests(t *testing.T) { suite(t, "requests", 250) }

// No answer of an origin, however broken, reaches another user or passes for what it is not.
func TestRawResponses(t *testing.T) { suite(t, "responses", 100) }

// suite runs the cases of a folder, class by class.
func suite(t *testing.T, folder string, atLeast int) {
	var total, failed atomic.Int32
	t.Run("classes", func(t *testing.T) {
		for class, cases := range loadCases(t, folder) {
			t.Run(class, func(t *testing.T) {
				t.Parallel()
				e := startEdge(t)
				for _, c := range cases {
					total.Add(1)
					t.Run(c.name, func(t *testing.T) {
						if !e.stands(t, c) {
							failed.Add(1)
						}
					})
				}
			})
		}
	})
	fmt.Printf("figure raw_%s_failed %d cases goal 0\n", folder, failed.Load())
	fmt.Printf("figure raw_%s_total %d cases goal %d\n", folder, total.Load(), atLeast)
	if int(total.Load()) < atLeast {
		t.Errorf("%d cases, want at least %d", total.Load(), atLeast)
	}
}

// stands runs the case in every way of cutting.
func (e *edge) stands(t *testing.T, c *rawCase) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.file + c.name))
	r := rand.New(rand.NewPCG(h.Sum64(), 1)) // the same cuts on every run
	type way struct {
		name string
		cut  func(string) []string
	}
	ways := []way{{"whole", whole}, {"cut at random", atRandom(r)}, {"cut at random again", atRandom(r)}, {"cut in line ends", inLineEnds}}
	if c.short { // each run waits for a timeout
		ways = ways[:2]
	}
	for _, way := range ways {
		if wrong := e.run(c, way.cut); len(wrong) > 0 {
			for _, w := range wrong {
				t.Errorf("%s:%d: RFC %s, %s: %s", c.file, c.line, c.rfc, way.name, w)
			}
			return false
		}
	}
	return !t.Failed()
}
