package nginximport

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// timing is what locations have said about an upstream.
type timing struct {
	settled           bool
	connect, response time.Duration // 0: nothing was said
	retry             *statement    // that decided
	retryText         string
}

// Sluice's own defaults; nginx has the same for the answer.
const (
	usualConnect  = 2 * time.Second
	usualResponse = 60 * time.Second
)

// settings brings what a location says about its upstream into the upstream. Locations may
// differ where an upstream can't: then the longest time counts, and the first word on retries.
func (m *importer) settings(d *drafted, sc scope, module string) {
	connect := m.span(sc, module+"_connect_timeout", usualConnect)
	response := max(m.span(sc, module+"_read_timeout", usualResponse), m.span(sc, module+"_send_timeout", 0))
	t := &d.timing
	for _, name := range []string{"_connect_timeout", "_read_timeout", "_send_timeout"} {
		changes := name == "_connect_timeout" && t.connect != connect || name != "_connect_timeout" && t.response != response
		if s := sc.one(module + name); t.settled && changes && s != nil {
			m.differs(s, "timeouts belong to Upstream "+d.Name+", whose locations say different things: the longest counts for all", "Make a second Upstream for the route if it has to differ")
		}
	}
	if !t.settled {
		t.connect, t.response = connect, response
	}
	t.connect, t.response, t.settled = max(t.connect, connect), max(t.response, response), true
	d.Spec.Timeouts.Connect, d.Spec.Timeouts.Response = unless(t.connect, usualConnect), unless(t.response, usualResponse)
	m.retry(d, sc, module)
}

// span is the time that a directive in force gives.
func (m *importer) span(sc scope, name string, byDefault time.Duration) time.Duration {
	s := sc.one(name)
	if s == nil {
		return byDefault
	}
	t, ok := parseTime(s.arg(0))
	if !ok || t <= 0 {
		return byDefault
	}
	say(s)
	return t
}

// retry reads when the next endpoint is asked.
func (m *importer) retry(d *drafted, sc scope, module string) {
	on, tries, within := sc.one(module+"_next_upstream"), sc.one(module+"_next_upstream_tries"), sc.one(module+"_next_upstream_timeout")
	if on == nil && tries == nil && within == nil {
		return
	}
	var r gateway.Retry
	if n, err := strconv.Atoi(tries.arg(0)); tries != nil && err == nil {
		say(tries)
		if n != 2 {
			r.Attempts = n
		}
	}
	if t, ok := parseTime(within.arg(0)); within != nil && ok {
		say(within)
		r.Timeout = gateway.Duration(t)
	}
	if on != nil {
		m.reasons(&r, on)
	}
	text := strings.Join(r.On, " ") + strconv.Itoa(r.Attempts) + r.Timeout.String()
	if t := &d.timing; t.retry == nil {
		t.retry, t.retryText = cmpOr(on, tries, within), text
		d.Spec.Retry = r
	} else if t.retryText != text {
		m.differs(cmpOr(on, tries, within), "retries belong to Upstream "+d.Name+", whose locations say different things: the first counts for all", "Make a second Upstream for the route if it has to differ")
	}
}

func cmpOr(list ...*statement) *statement {
	return list[slices.IndexFunc(list, func(s *statement) bool { return s != nil })]
}

// reasons reads proxy_next_upstream. "error timeout", nginx's default, is what Sluice writes for
// its own.
func (m *importer) reasons(r *gateway.Retry, s *statement) {
	say(s)
	has := func(word string) bool { return slices.Contains(s.Args(), word) }
	if has("off") {
		r.Attempts = 1
		return
	}
	switch {
	case has("error") && has("timeout"):
		r.On = append(r.On, gateway.RetryConnect)
	case has("error"):
		r.On = append(r.On, gateway.RetryReset)
	case has("timeout"):
		r.On = append(r.On, gateway.RetryTimeout)
	}
	switch {
	case has("http_502") && has("http_503") && has("http_504"):
		r.On = append(r.On, gateway.RetryGateway)
	default:
		for _, status := range []string{gateway.Retry502, gateway.Retry503, gateway.Retry504} {
			if has("http_" + status) {
				r.On = append(r.On, status)
			}
		}
	}
	if slices.Equal(r.On, []string{gateway.RetryConnect}) {
		r.On = nil // the default
	}
	for _, word := range s.Args() {
		if !slices.Contains([]string{"error", "timeout", "http_502", "http_503", "http_504"}, word) {
			m.differs(s, "requests are not tried again for "+printable(word), "See docs/limits.md for the reasons that there are")
		}
	}
}

// parseTime reads nginx's times: "60", "60s", "1m30s", "500ms".
func parseTime(text string) (time.Duration, bool) {
	units := []struct {
		name string
		span time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"M", 30 * 24 * time.Hour}, {"y", 365 * 24 * time.Hour}}
	total, rest := time.Duration(0), strings.ReplaceAll(text, " ", "")
	if rest == "" {
		return 0, false
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		rest = rest[digits:]
		unit := time.Second
		i := slices.IndexFunc(units, func(u struct {
			name string
			span time.Duration
		}) bool {
			return strings.HasPrefix(rest, u.name)
		})
		switch {
		case i >= 0:
			unit, rest = units[i].span, rest[len(units[i].name):]
		case rest != "":
			return 0, false
		}
		if total += time.Duration(n) * unit; total < 0 || total > 10*365*24*time.Hour {
			return 0, false
		}
	}
	return total, true
}
