package nginximport

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report tells what did not get into the objects, and what is not quite the same there.
type Report struct {
	Routes, Upstreams int
	// Closed counts the routes that answer 503 until somebody settles what they need.
	Closed int
	// Opened counts the notes about what nginx refuses and the routes would not.
	Opened int
	// Directives are all that nginx reads, included ones each time. Kept concern nginx itself and
	// stay in its own files; Untranslated have no words in the objects.
	Directives, Kept, Untranslated int
	// Notes are in the order of files and lines.
	Notes []Note
}

// Kind says what a note is about.
type Kind string

// The kinds of notes.
const (
	NotTranslated Kind = "not translated" // the directive is left out
	Differs       Kind = "differs"        // it is in the objects, and means something else there
	Problem       Kind = "problem"        // Sluice will show it as a problem of an object
	Opens         Kind = "OPENS"          // it refuses requests that would be answered afterwards
)

// Note is one thing that a person should know.
type Note struct {
	Kind Kind
	File string // empty for a note about an object
	Line int
	Text string // the directive, or the object
	Why  string
	Do   string // what to do, if there is anything
	// Times is how often the same line was met, since files can be included several times.
	Times int
}

// String reads "FILE:LINE: not translated: DIRECTIVE: why. What to do."
func (n Note) String() string {
	var b strings.Builder
	if n.File != "" {
		if b.WriteString(n.File); n.Line > 0 {
			fmt.Fprintf(&b, ":%d", n.Line)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: %s: %s.", n.Kind, n.Text, n.Why)
	if n.Do != "" {
		fmt.Fprintf(&b, " %s.", n.Do)
	}
	if n.Times > 1 {
		fmt.Fprintf(&b, " (%d times)", n.Times)
	}
	return b.String()
}

// Summary is one line: "12 routes, 5 upstreams; 7 directives of 214 did not translate".
func (r *Report) Summary() string {
	closed := ""
	if r.Closed > 0 {
		closed = fmt.Sprintf(" (answered 503 until settled: %d)", r.Closed)
	}
	opened := ""
	if r.Opened > 0 {
		opened = fmt.Sprintf("; %s would be open, see OPENS", counted(r.Opened, "place"))
	}
	return fmt.Sprintf("%s%s, %s; %s of %d did not translate%s", counted(r.Routes, "route"), closed, counted(r.Upstreams, "upstream"), counted(r.Untranslated, "directive"), r.Directives, opened)
}

// counted reads "1 route", "2 routes".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Write writes the notes, one a line, and the summary.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
	}
	if r.Kept > 0 {
		fmt.Fprintf(&b, "For nginx itself, or for everything that it serves: %s. Keep them in nginx.conf.\n", counted(r.Kept, "directive"))
	}
	b.WriteString(r.Summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// tidy counts equal notes once and brings them into order.
func (r *Report) tidy() {
	at := map[Note]int{}
	var out []Note
	for _, n := range r.Notes {
		if i, ok := at[n]; ok {
			out[i].Times++
			continue
		}
		at[n] = len(out)
		n.Times = 1
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	r.Notes = out
	for _, n := range out {
		if n.Kind == Opens {
			r.Opened++
		}
	}
}
