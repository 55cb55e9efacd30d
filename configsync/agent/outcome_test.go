package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

func outcomeText(list []outcome) string {
	var parts []string
	for _, o := range list {
		text := fmt.Sprintf("%s %s %d%s", o.upstream, o.address, o.status, o.failure)
		if o.latency > 0 {
			text += " " + o.latency.String()
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func TestParseOutcomes(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"an answer", "<190>Nov 21 15:00:00 sluice: sluice1|acme.api|10.0.0.4:80|200|0.001|0.012\n", "acme.api 10.0.0.4:80 200 12ms"},
		{"an answer of 502", "sluice1|acme.api|10.0.0.4:80|502|0.000|0.001", "acme.api 10.0.0.4:80 502 1ms"},
		{"IPv6", "sluice1|acme.api|[2001:db8::4]:80|204|0.000|0.000", "acme.api [2001:db8::4]:80 204"},
		{"no connection, and the next endpoint", "sluice1|acme.api|10.0.0.4:80, 10.0.0.5:80|502, 200|-, 0.001|-, 0.002", "acme.api 10.0.0.4:80 0connect, acme.api 10.0.0.5:80 200 2ms"},
		{"no connection in time", "sluice1|acme.api|10.0.0.4:80|504|-|-", "acme.api 10.0.0.4:80 0connect"},
		{"no answer in time", "sluice1|acme.api|10.0.0.4:80|504|0.001|-", "acme.api 10.0.0.4:80 0timeout"},
		{"closed before an answer", "sluice1|acme.api|10.0.0.4:80|502|0.001|-", "acme.api 10.0.0.4:80 0reset"},
		{"an internal redirect", "sluice1|acme.api|10.0.0.4:80 : 10.0.0.5:80|500 : 200|0.001 : 0.001|0.002 : 0.003", "acme.api 10.0.0.4:80 500 2ms, acme.api 10.0.0.5:80 200 3ms"},
		{"the client has gone", "sluice1|acme.api|10.0.0.4:80|-|0.001|-", ""},
		{"the client has gone, as nginx counts it", "sluice1|acme.api|10.0.0.4:80|499|0.001|-", ""},
		{"nobody could be asked", "sluice1|acme.api|acme.api|502|-|-", ""},
		{"lists that do not belong together", "sluice1|acme.api|10.0.0.4:80, 10.0.0.5:80|200|0.001|0.001", ""},
		{"another format", "sluice2|acme.api|10.0.0.4:80|200|0.001|0.001", ""},
		{"too few fields", "sluice1|acme.api|10.0.0.4:80|200|0.001", ""},
		{"a status of nowhere", "sluice1|acme.api|10.0.0.4:80|99|0.001|0.001", ""},
		{"nothing", "", ""},
	} {
		if got := outcomeText(parseOutcomes(c.line)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzParseOutcomes(f *testing.F) {
	f.Add("<190>Nov 21 15:00:00 sluice: sluice1|acme.api|10.0.0.4:80, 10.0.0.5:80|502, 200|-, 0.001|-, 0.002\n")
	f.Fuzz(func(t *testing.T, line string) {
		for _, o := range parseOutcomes(line) {
			if (o.status == 0) == (o.failure == "") || o.latency < 0 || !strings.Contains(line, nginxconf.OutcomeMark) {
				t.Errorf("%q: %+v", line, o)
			}
		}
	})
}

// Errors in a row stay in a row, and what there is no room for is counted.
func TestBatch(t *testing.T) {
	var b batch
	add := func(address string, status, n int) {
		for range n {
			b.add(outcome{upstream: "acme.api", address: address, status: status})
		}
	}
	add("10.0.0.4:80", 200, 3)
	add("10.0.0.5:80", 200, 1)
	add("10.0.0.4:80", 502, 5)
	add("10.0.0.4:80", 200, 1)
	b.add(outcome{upstream: "acme.api", address: "10.0.0.5:80", failure: gateway.FailureConnect})
	out, missed := b.take()
	want := []protocol.EndpointOutcomes{
		{Upstream: "acme.api", Address: "10.0.0.4:80", Runs: []protocol.Run{{Status: 200, Count: 3}, {Status: 502, Count: 5}, {Status: 200, Count: 1}}},
		{Upstream: "acme.api", Address: "10.0.0.5:80", Runs: []protocol.Run{{Status: 200, Count: 1}, {Failure: gateway.FailureConnect, Count: 1}}},
	}
	if fmt.Sprint(out.Endpoints) != fmt.Sprint(want) || missed != 0 {
		t.Errorf("%+v, %d missed", out, missed)
	}
	for range 500 {
		add("10.0.0.4:80", 200, 1)
		add("10.0.0.4:80", 503, 1)
	}
	out, _ = b.take()
	runs, total := out.Endpoints[0].Runs, 0
	for _, r := range runs {
		total += r.Count
	}
	if len(runs) != protocol.MaxRuns || total != 1000 {
		t.Errorf("%d runs of %d", len(runs), total)
	}
	add("10.0.0.4:80", 200, protocol.MaxOutcomes+7)
	if _, missed := b.take(); missed != 7 {
		t.Errorf("%d missed", missed)
	}
}

// A file is followed from its end, through rotation and when it is emptied.
func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outcomes.log")
	var lines []string
	tail := outcomeTail{path: path, take: func(line string) { lines = append(lines, line) }}
	defer tail.close()
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	expect := func(want ...string) {
		t.Helper()
		tail.look()
		if !slices.Equal(lines, want) {
			t.Errorf("%q, want %q", lines, want)
		}
		lines = nil
	}
	expect() // there is none yet
	write("old\n")
	tail.open(true)
	expect()
	write("a\nb")
	expect("a")
	write("c\n")
	expect("bc")
	write("last\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	expect("last")
	write("first\n")
	expect()
	expect("first")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	expect()
	write("x\n")
	expect("x")
	write(strings.Repeat("y", tailMost) + "\n")
	tail.look()
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("a large file is not emptied: %v %v", info, err)
	}
	lines = nil
	write("z\n")
	expect("z")
}

// What nginx.conf says about access logs, and what the tree says, which does not count.
func TestHTTPAccessLog(t *testing.T) {
	for _, c := range []struct{ name, conf, want string }{
		{"nothing", "http { server { access_log off; } }", "/var/log/compiled.log"},
		{"off", "http { access_log off; }", "off"},
		{"its own", "http { access_log /var/log/mine.log; }", ""},
		{"off in an included file", "http { include more.conf; }", "off"},
		{"in the tree only", "http { include tree/*.conf; }", "/var/log/compiled.log"},
		{"elsewhere", "stream { access_log off; } http {}", "/var/log/compiled.log"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"nginx.conf": c.conf, "more.conf": "access_log off;", "tree/base.conf": "access_log /x;"} {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, err := loadFiles(filepath.Join(dir, "nginx.conf"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := httpAccessLog(files, filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "tree"), "/var/log/compiled.log"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
