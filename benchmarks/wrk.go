package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// loaded is what a load reports.
type loaded struct {
	Requests       int64
	Elapsed        time.Duration
	P50, P99, P999 time.Duration
}

// A loader loads a contender for some seconds.
type loader func(ctx context.Context, c *contender, seconds int) (loaded, error)

// wrkScript makes wrk print the quantile that it has and does not show. more is Lua.
const wrkScript = `
done = function(summary, latency, requests)
	io.write(string.format("  99.9%%  %.2fus\n", latency:percentile(99.9)))
end
`

// byWrk is HTTP/1.1 with or without TLS over kept-alive connections that are busy all the
// time. more is Lua that changes what is sent; with request() it is asked for each request.
func byWrk(connections int, more func(c *contender) string) loader {
	return func(ctx context.Context, c *contender, seconds int) (loaded, error) {
		script := filepath.Join(c.st.dir, "wrk.lua")
		if err := os.WriteFile(script, []byte(more(c)+wrkScript), 0o644); err != nil {
			return loaded{}, err
		}
		out, err := c.st.run(ctx, time.Duration(seconds)*time.Second, nil, c.st.tools.wrk, "--threads", "1",
			"--connections", strconv.Itoa(connections), "--duration", strconv.Itoa(seconds)+"s", "--timeout", "5s",
			"--latency", "--script", script, "--header", "Host: "+host, c.site.url())
		if err != nil {
			return loaded{}, err
		}
		return parseWrk(string(out))
	}
}

// plainGet sends the same GET again and again.
func plainGet(*contender) string { return "" }

// post sends a body.
func post(size int) func(*contender) string {
	return func(*contender) string {
		return fmt.Sprintf("wrk.method = 'POST'\nwrk.body = string.rep('u', %d)\n", size)
	}
}

// overHosts asks for hosts in turn, spread evenly over all of them.
func overHosts(c *contender) string {
	all := c.site.Hosts
	count := min(len(all), manyHosts)
	var b strings.Builder
	b.WriteString("local list = {}\nlocal at = 0\ninit = function(args)\n")
	for i := range count {
		fmt.Fprintf(&b, "list[%d] = wrk.format('GET', '/', {Host = '%s'})\n", i, all[i*len(all)/count].Name)
	}
	fmt.Fprintf(&b, "end\nrequest = function()\nat = (at + 1) %% %d\nreturn list[at]\nend\n", count)
	return b.String()
}

var (
	wrkTotal      = regexp.MustCompile(`(?m)^\s*(\d+) requests in (\S+),`)
	wrkQuantile   = regexp.MustCompile(`(?m)^\s*(50|99|99\.9)%\s+(\S+)`)
	wrkSocket     = regexp.MustCompile(`(?m)^\s*Socket errors: (.*)$`)
	wrkBadAnswers = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
)

// parseWrk reads the output of wrk --latency. A run with errors is no measurement, so any
// socket error or bad answer that wrk saw is an error here.
func parseWrk(out string) (loaded, error) {
	var r loaded
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		return r, fmt.Errorf("wrk saw socket errors: %s", m[1])
	}
	if m := wrkBadAnswers.FindStringSubmatch(out); m != nil {
		return r, fmt.Errorf("wrk saw %s answers other than 2xx and 3xx", m[1])
	}
	total := wrkTotal.FindStringSubmatch(out)
	if total == nil {
		return r, fmt.Errorf("wrk's output has no totals:\n%s", out)
	}
	var err error
	if r.Requests, err = strconv.ParseInt(total[1], 10, 64); err != nil {
		return r, fmt.Errorf("wrk's requests: %w", err)
	}
	if r.Elapsed, err = parseWrkTime(total[2]); err != nil {
		return r, err
	}
	for _, m := range wrkQuantile.FindAllStringSubmatch(out, -1) {
		d, err := parseWrkTime(m[2])
		if err != nil {
			return r, err
		}
		switch m[1] {
		case "50":
			r.P50 = d
		case "99":
			r.P99 = d
		default:
			r.P999 = d
		}
	}
	if r.Requests == 0 || r.P50 == 0 || r.P99 == 0 || r.P999 == 0 {
		return r, fmt.Errorf("wrk finished no request, or was run without --latency and our script:\n%s", out)
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
