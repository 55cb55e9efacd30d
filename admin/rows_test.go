package admin

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/admin/api"
)

// TestSideBySide: what changed stands beside what it was, and equal lines far away are left
// out.
func TestSideBySide(t *testing.T) {
	left := "a\nb\nc\nd\ne\nf\ng\nh\ni\n"
	right := "a\nb\nc\nd\nE\nE2\nf\ng\nh\nj"
	var b strings.Builder
	for _, r := range sideBySide(left, right) {
		fmt.Fprintf(&b, "%s %d:%s %d:%s\n", r.Change, r.LeftLine, r.Left, r.RightLine, r.Right)
	}
	want := "gap 0: 0:\nequal 2:b 2:b\nequal 3:c 3:c\nequal 4:d 4:d\nchanged 5:e 5:E\nadded 0: 6:E2\nequal 6:f 7:f\nequal 7:g 8:g\nequal 8:h 9:h\nchanged 9:i 10:j\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestPairLines: both columns are the texts, whatever these are.
func TestPairLines(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	text := func() string {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString([]string{"a", "b", "c\r", "", " "}[random.IntN(5)])
			b.WriteString("\n")
		}
		if random.IntN(3) == 0 {
			b.WriteString("end")
		}
		return b.String()
	}
	for range 2000 {
		left, right := text(), text()
		rows := pairLines(left, right)
		side := func(line func(api.DiffRow) (int, string)) string {
			var lines []string
			for _, r := range rows {
				if n, s := line(r); n > 0 {
					if n != len(lines)+1 {
						t.Fatalf("%q to %q: line %d after %d", left, right, n, len(lines))
					}
					lines = append(lines, s)
				}
			}
			return strings.Join(lines, "\n")
		}
		plain := func(s string) string { return strings.TrimSuffix(strings.ReplaceAll(s, "\r", ""), "\n") }
		if got := side(func(r api.DiffRow) (int, string) { return r.LeftLine, r.Left }); got != plain(left) {
			t.Fatalf("the left of %q to %q is %q", left, right, got)
		}
		if got := side(func(r api.DiffRow) (int, string) { return r.RightLine, r.Right }); got != plain(right) {
			t.Fatalf("the right of %q to %q is %q", left, right, got)
		}
	}
}
