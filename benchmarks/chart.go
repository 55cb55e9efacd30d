package main

import (
	"fmt"
	"html"
	"strings"
)

// The measures of a chart, in pixels: three panels side by side, each with a title and a
// bar for each peer.
const (
	panelWidth  = 330
	panelHeight = 142
	panelsInRow = 3
	labelWidth  = 58
	valueWidth  = 66
	barHeight   = 14
	barPitch    = 22
	firstBar    = 46
)

// chartStyle is readable on light and on dark pages: text and lines take the opposite of the
// page's color, and every peer has a color of its own.
const chartStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.t { font-weight: 600 } .s { fill: #59636e; font-size: 11px } line { stroke: #1f2328; stroke-width: 1.5 }
.nginx { fill: #8c959f } .haproxy { fill: #54aeff } .caddy { fill: #4ac26b } .sluice { fill: #e16f24 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .s { fill: #9198a1 } line { stroke: #e6edf3 } }
</style>
`

// chart draws the main metric of every scenario: a bar for the median and a line from the
// least to the most.
func (r report) chart() string {
	rows := (len(r.Scenarios) + panelsInRow - 1) / panelsInRow
	width, height := panelsInRow*panelWidth, rows*panelHeight+8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString("Benchmarks of "+r.Date+" at "+r.Commit), chartStyle)
	for i, s := range r.Scenarios {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%panelsInRow*panelWidth, i/panelsInRow*panelHeight)
		s.panel(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws one scenario at the origin.
func (r scenarioResult) panel(b *strings.Builder) {
	c := columnOf(r.Main)
	fmt.Fprintf(b, `<text class="t" x="4" y="18">%s</text><text class="s" x="4" y="34">%s</text>`+"\n",
		html.EscapeString(r.Name), html.EscapeString(strings.TrimSuffix(c.title+", "+c.unit, ", ")))
	var most float64
	for _, p := range r.Peers {
		most = max(most, p.Values[r.Main].Max)
	}
	scale := 0.0
	if most > 0 {
		scale = (panelWidth - labelWidth - valueWidth - 8) / most
	}
	y := firstBar
	for _, p := range peers {
		summary := r.summary(p.name)
		reason := r.missing(p.name)
		if summary == nil && reason == "" {
			continue
		}
		fmt.Fprintf(b, `<text x="4" y="%d">%s</text>`, y+barHeight-3, p.name)
		if summary == nil {
			verdict, _, _ := strings.Cut(reason, ":")
			fmt.Fprintf(b, `<text class="s" x="%d" y="%d">%s</text>`+"\n", labelWidth, y+barHeight-3, html.EscapeString(verdict))
		} else {
			bar(b, p.name, y, scale, summary.Values[r.Main], c.digits)
		}
		y += barPitch
	}
}

// bar draws a median with its spread and its number.
func bar(b *strings.Builder, class string, y int, scale float64, v spread, digits int) {
	at := func(value float64) float64 { return labelWidth + scale*max(0, value) }
	middle := y + barHeight/2
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`, class, labelWidth, y, at(v.Median)-labelWidth, barHeight)
	fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, at(v.Min), middle, at(v.Max), middle)
	for _, end := range []float64{v.Min, v.Max} {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, at(end), middle-3, at(end), middle+3)
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d">%.*f</text>`+"\n", max(at(v.Max), at(v.Median))+6, y+barHeight-3, digits, v.Median)
}
