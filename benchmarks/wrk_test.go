package main

import (
	"strings"
	"testing"
	"time"
)

const wrkOutput = `Running 5s test @ http://127.0.0.1:41000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   612.31us  301.10us  12.51ms   91.20%
    Req/Sec    99.83k     4.31k  107.11k    82.00%
  Latency Distribution
     50%  581.00us
     75%  700.00us
     90%  850.00us
     99%    1.07ms
  501234 requests in 5.01s, 123.80MB read
Requests/sec: 100046.71
Transfer/sec:     24.71MB
  99.9%  1890.00us
`

func TestParseWrk(t *testing.T) {
	r, err := parseWrk(wrkOutput)
	want := loaded{Requests: 501234, Elapsed: 5010 * time.Millisecond, P50: 581 * time.Microsecond, P99: 1070 * time.Microsecond, P999: 1890 * time.Microsecond}
	if err != nil || r != want {
		t.Errorf("%+v, %v, want %+v", r, err, want)
	}
	long := strings.NewReplacer("581.00us", "1.25s", "1.07ms", "1.50m", "5.01s", "2.00m").Replace(wrkOutput)
	r, err = parseWrk(long)
	if err != nil || r.P50 != 1250*time.Millisecond || r.P99 != 90*time.Second || r.Elapsed != 2*time.Minute {
		t.Errorf("long times: %+v, %v", r, err)
	}
}

func TestParseWrkRefusesRunsThatAreNoMeasurement(t *testing.T) {
	for name, c := range map[string]struct{ out, want string }{
		"socket errors": {strings.Replace(wrkOutput, "Requests/sec", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec", 1), "wrk saw socket errors: connect 0, read 3"},
		"bad answers":   {strings.Replace(wrkOutput, "Requests/sec", "  Non-2xx or 3xx responses: 17\nRequests/sec", 1), "wrk saw 17 answers other than 2xx and 3xx"},
		"no latency":    {strings.NewReplacer("50%", "51%", "99%", "98%").Replace(wrkOutput), "without --latency"},
		"no answer":     {strings.Replace(wrkOutput, "501234 requests", "0 requests", 1), "finished no request"},
		"not a time":    {strings.Replace(wrkOutput, "581.00us", "581.00xs", 1), `wrk's time "581.00xs"`},
		"no script":     {strings.Replace(wrkOutput, "99.9%", "98%", 1), "and our script"},
		"nothing":       {"unable to connect to 127.0.0.1:1 Connection refused\n", "has no totals"},
	} {
		if r, err := parseWrk(c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want %q", name, r, err, c.want)
		}
	}
}
