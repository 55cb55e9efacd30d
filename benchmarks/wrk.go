package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// wrkResult is what one run of wrk reports.
type wrkResult struct {
	Requests          int64
	Elapsed           time.Duration
	RequestsPerSecond float64
	P50, P99          time.Duration
}

var (
	wrkTotal      = regexp.MustCompile(`(?m)^\s*(\d+) requests in (\S+),`)
	wrkRate       = regexp.MustCompile(`(?m)^Requests/sec:\s*([0-9.]+)`)
	wrkQuantile   = regexp.MustCompile(`(?m)^\s*(50|99)%\s+(\S+)`)
	wrkSocket     = regexp.MustCompile(`(?m)^\s*Socket errors: (.*)$`)
	wrkBadAnswers = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
)

// parseWrk reads the output of wrk --latency. A run with errors is no measurement, so any
// socket error or bad answer that wrk saw is an error here.
func parseWrk(out string) (wrkResult, error) {
	var r wrkResult
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		return r, fmt.Errorf("wrk saw socket errors: %s", m[1])
	}
	if m := wrkBadAnswers.FindStringSubmatch(out); m != nil {
		return r, fmt.Errorf("wrk saw %s answers other than 2xx and 3xx", m[1])
	}
	total, rate := wrkTotal.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if total == nil || rate == nil {
		return r, fmt.Errorf("wrk's output has no totals:\n%s", out)
	}
	var err error
	if r.Requests, err = strconv.ParseInt(total[1], 10, 64); err != nil {
		return r, fmt.Errorf("wrk's requests: %w", err)
	}
	if r.Elapsed, err = parseWrkTime(total[2]); err != nil {
		return r, err
	}
	if r.RequestsPerSecond, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return r, fmt.Errorf("wrk's rate: %w", err)
	}
	for _, m := range wrkQuantile.FindAllStringSubmatch(out, -1) {
		d, err := parseWrkTime(m[2])
		if err != nil {
			return r, err
		}
		if m[1] == "50" {
			r.P50 = d
		} else {
			r.P99 = d
		}
	}
	if r.Requests == 0 || r.P50 == 0 || r.P99 == 0 {
		return r, fmt.Errorf("wrk finished no request, or was run without --latency:\n%s", out)
	}
	return r, nil
}

// parseWrkTime reads wrk's times, such as "612.00us", "1.25ms", "5.00s" or "1.50m". Go
// writes and reads the same units.
func parseWrkTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("wrk's time %q: %w", text, err)
	}
	return d, nil
}

// wrkVersion is the first line of wrk -v, which exits with an error on every version.
func wrkVersion(ctx context.Context, wrk string) string {
	out, _ := exec.CommandContext(ctx, wrk, "-v").CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	name, _, _ := strings.Cut(line, " Copyright")
	return strings.TrimSpace(name)
}
