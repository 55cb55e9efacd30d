package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const h2loadOutput = `starting benchmark...
spawning thread #0: 8 total client(s). Timing-based test with 0s of warm-up time and 3s of main duration for measurements.
TLS Protocol: TLSv1.3
Application protocol: h2

finished in 3.01s, 87566.00 req/s, 14.61MB/s
requests: 262698 total, 262826 started, 262698 done, 262698 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 262701 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 43.84MB (45970000) total, 9.52MB (9980000) headers (space savings 78.65%), 25.05MB (26270000) data
                     min         max         mean         sd        +/- sd
time for request:      211us     11.20ms      1.45ms       512us    78.00%
`

func TestParseH2Load(t *testing.T) {
	r, err := parseH2Load(h2loadOutput)
	if err != nil || r.Requests != 262698 || r.Elapsed != 3010*time.Millisecond {
		t.Errorf("%+v, %v", r, err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"failed":     {"0 failed", "3 failed", "h2load saw 3 requests failed"},
		"timed out":  {"0 timeout", "9 timeout", "9 timed out"},
		"bad status": {"262701 2xx", "262000 2xx", "262698 requests and 262000 answers with 2xx"},
		"nothing":    {"262698 succeeded", "0 succeeded", "0 requests"},
		"no totals":  {"requests:", "rejects:", "has no totals"},
	} {
		if r, err := parseH2Load(strings.Replace(h2loadOutput, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want %q", name, r, err, c.want)
		}
	}
}

func TestQuantilesOfH2LoadsLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	var lines strings.Builder
	for i := range 1000 {
		lines.WriteString("1700000000000000\t200\t" + strings.Repeat("1", 1+i/900) + "\n") // 900 of 1 us, 100 of 11 us
	}
	lines.WriteString("1700000000000000\t-1\t999999\n") // cut off at the end
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var r loaded
	if err := r.quantiles(log); err != nil || r.P50 != time.Microsecond || r.P99 != 11*time.Microsecond || r.P999 != 11*time.Microsecond {
		t.Errorf("%+v, %v", r, err)
	}
	for _, text := range []string{"", "1\t-1\t5\n", "1\t200\tx\n"} {
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.quantiles(log); err == nil {
			t.Errorf("%q was read as %+v", text, r)
		}
	}
}
