package hardening

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Every raw request is answered as its case says, the origin sees only what it may see, and
// the next user of the connections gets its own answers.
func TestRawRequests(t *testing.T) { suite(t, "requests", 250) }

// No answer of an origin, however broken, reaches another user or passes for what it is not.
func TestRawResponses(t *testing.T) { suite(t, "responses", 100) }

func suite(t *testing.T, folder string, atLeast int) { suiteOf(t, folder, atLeast, (*edge).run) }

// suiteOf runs the cases of a folder, class by class.
func suiteOf(t *testing.T, folder string, atLeast int, run func(*edge, *rawCase, func(string) []string) []string) {
	total, failed := 0, atomic.Int32{}
	classes := loadCases(t, folder)
	for _, cases := range classes {
		total += len(cases)
	}
	t.Run("classes", func(t *testing.T) {
		for class, cases := range classes {
			t.Run(class, func(t *testing.T) {
				t.Parallel()
				e := startEdge(t)
				for _, c := range cases {
					t.Run(c.name, func(t *testing.T) {
						if !e.stands(t, c, run) {
							failed.Add(1)
						}
					})
				}
			})
		}
	})
	fmt.Printf("figure raw_%s_failed %d cases goal 0\n", folder, failed.Load())
	fmt.Printf("figure raw_%s_total %d cases goal %d\n", folder, total, atLeast)
	if total < atLeast {
		t.Errorf("%d cases, want at least %d", total, atLeast)
	}
}

// stands runs the case in every way of cutting.
func (e *edge) stands(t *testing.T, c *rawCase, run func(*edge, *rawCase, func(string) []string) []string) bool {
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
		if wrong := run(e, c, way.cut); len(wrong) > 0 {
			for _, w := range wrong {
				t.Errorf("%s:%d: RFC %s, %s: %s", c.file, c.line, c.rfc, way.name, w)
			}
			return false
		}
	}
	return !t.Failed()
}

// loadCases reads every file of a folder, in order.
func loadCases(t testing.TB, folder string) map[string][]*rawCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/%s: %v", folder, err)
	}
	slices.Sort(files)
	all := map[string][]*rawCase{}
	names := map[string]bool{}
	for _, f := range files {
		class := strings.TrimSuffix(filepath.Base(f), ".txt")
		all[class] = parseCases(t, f)
		for _, c := range all[class] {
			if names[class+c.name] {
				t.Fatalf("%s:%d: second case %q", f, c.line, c.name)
			}
			names[class+c.name] = true
		}
	}
	return all
}
