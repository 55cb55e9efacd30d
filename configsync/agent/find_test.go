package agent

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
)

func TestFindNginx(t *testing.T) {
	n := agenttest.New(t)
	n.Start(t)
	got, err := findNginx(context.Background(), Config{NginxConf: n.Conf})
	if err != nil || got.binary != agenttest.Binary || got.prefix != n.Dir || got.conf != n.Conf {
		t.Errorf("got %+v, %v", got, err)
	}
	n.Stop()
	got, err = findNginx(context.Background(), Config{NginxConf: n.Conf})
	if err != nil || got.conf != n.Conf || got.prefix != "" || !strings.HasSuffix(got.binary, "/nginx") {
		t.Errorf("while none runs: %+v, %v", got, err)
	}
}

func TestChoose(t *testing.T) {
	plain, a, b := found{pid: 1, exe: "/n"}, found{pid: 2, exe: "/a", conf: "/a.conf"}, found{pid: 3, exe: "/b", conf: "/b.conf"}
	for _, c := range []struct {
		list []found
		conf string
		want found
		err  string
	}{
		{nil, "", found{}, ""},
		{[]found{a}, "", a, ""},
		{[]found{a, plain, b}, "", plain, ""},
		{[]found{a, plain, b}, "/b.conf", b, ""},
		{[]found{a, b}, "/c.conf", found{}, ""},
		{[]found{a, b}, "", found{}, "2 nginx run here (2 with /a.conf, 3 with /b.conf): say which one"},
	} {
		got, err := choose(c.list, c.conf)
		if got != c.want || (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v %q: got %+v, %v", c.list, c.conf, got, err)
		}
	}
}

// TestForkedWorker: a worker that still has its master's title is no second nginx.
func TestForkedWorker(t *testing.T) {
	parents := map[int]int{10: 1, 11: 10, 12: 10, 20: 1}
	got := withoutChildren([]found{{pid: 11}, {pid: 10}, {pid: 12}, {pid: 20}}, func(pid int) int { return parents[pid] })
	if len(got) != 2 || got[0].pid != 10 || got[1].pid != 20 {
		t.Errorf("got %+v", got)
	}
	if got := processParent(os.Getpid()); got != os.Getppid() {
		t.Errorf("the parent is %d, want %d", got, os.Getppid())
	}
}

func TestParseMaster(t *testing.T) {
	for title, want := range map[string]found{
		"nginx": {},
		"/usr/sbin/nginx -g daemon on; master_process on;": {},
		"nginx -c /etc/x/../y.conf -p /srv":                {conf: "/etc/y.conf", prefix: "/srv"},
		"nginx -p/srv/ -c/y.conf":                          {conf: "/y.conf", prefix: "/srv"},
		"nginx -c relative.conf":                           {},
	} {
		if got := parseMaster(title); got != want {
			t.Errorf("%q: got %+v, want %+v", title, got, want)
		}
	}
}

func TestStarts(t *testing.T) {
	n := &nginx{binary: "/usr/sbin/nginx", conf: "/y.conf", build: build{confPath: "/etc/nginx/nginx.conf"}}
	for line, want := range map[string]bool{
		"nginx -c /y.conf":                  true,
		"/usr/sbin/nginx -p /srv -c/y.conf": true,
		"nginx -g daemon off; -c /y.conf":   true,
		"nginx -c /z.conf":                  false,
		"nginx":                             false,
		"nginx -t -c /y.conf":               false,
		"nginx -s reload -c /y.conf":        false,
		"vi /y.conf":                        false,
	} {
		args := strings.Split(line, " ")
		if strings.Contains(line, "-g") {
			args = []string{"nginx", "-g", "daemon off;", "-c", "/y.conf"}
		}
		if got := n.starts(args); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestLessVersion(t *testing.T) {
	for _, c := range [][2]string{{"1.9.15", "1.22.1"}, {"1.18.0", "1.18.1"}, {"1.22", "1.22.1"}} {
		if !lessVersion(c[0], c[1]) || lessVersion(c[1], c[0]) {
			t.Errorf("%s is not less than %s", c[0], c[1])
		}
	}
}

// TestProcessStart: this process was started after the machine, and keeps its start.
func TestProcessStart(t *testing.T) {
	if a, b := processStart(os.Getpid()), processStart(os.Getpid()); a == 0 || a != b {
		t.Errorf("%d and %d", a, b)
	}
	if processStart(1<<30) != 0 {
		t.Error("a process that is not there has a start")
	}
}
