package admin

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/sluice-gateway/sluice/admin/api"
)

// What a row is.
const (
	rowEqual   = "equal"
	rowChanged = "changed"
	rowAdded   = "added"
	rowRemoved = "removed"
	rowGap     = "gap"
)

// pairLines puts every line of two texts into rows: removed lines stand beside the added ones
// that come in their place.
func pairLines(left, right string) []api.DiffRow {
	r := rower{left: strings.SplitAfter(left, "\n"), right: strings.SplitAfter(right, "\n")}
	at := 0 // in left, in bytes
	for _, e := range udiff.Lines(left, right) {
		r.equal(strings.Count(left[at:e.Start], "\n"))
		r.change(lines(left[e.Start:e.End]), lines(e.New))
		at = e.End
	}
	r.equal(lines(left[at:]))
	return r.rows
}

// lines counts the lines of a text; the last one may lack its end.
func lines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}

// rower walks through both texts; i and j are the lines that it has passed.
type rower struct {
	left, right []string
	i, j        int
	rows        []api.DiffRow
}

func (r *rower) equal(n int) {
	for range n {
		r.rows = append(r.rows, api.DiffRow{Change: rowEqual, LeftLine: r.i + 1, Left: trimEnd(r.left[r.i]), RightLine: r.j + 1, Right: trimEnd(r.right[r.j])})
		r.i, r.j = r.i+1, r.j+1
	}
}

func (r *rower) change(removed, added int) {
	for k := range max(removed, added) {
		row := api.DiffRow{Change: rowChanged}
		switch {
		case k >= removed:
			row.Change = rowAdded
		case k >= added:
			row.Change = rowRemoved
		}
		if k < removed {
			row.LeftLine, row.Left = r.i+1, trimEnd(r.left[r.i])
			r.i++
		}
		if k < added {
			row.RightLine, row.Right = r.j+1, trimEnd(r.right[r.j])
			r.j++
		}
		r.rows = append(r.rows, row)
	}
}

func trimEnd(line string) string { return strings.TrimRight(line, "\r\n") }
