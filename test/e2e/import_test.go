package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/agent/agenttest"
	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// byHand is what somebody once wrote into nginx.conf: %[1]s is where it listens, the others are
// backends.
const byHand = `
    upstream web {
        server %[2]s weight=3;
        server %[2]s backup;
        keepalive 8;
    }
    upstream api {
        least_conn;
        server %[3]s max_fails=2 fail_timeout=5s;
        server 127.0.0.1:9 down;
    }
    map $http_upgrade $connection_upgrade { default upgrade; "" close; }
    server {
        listen %[1]s;
        server_name shop.example.com www.shop.example.com;
        client_max_body_size 1k;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        location / { proxy_pass http://web; }
        location = /health { default_type text/plain; return 200 "fine"; }
        location /api/ { proxy_read_timeout 5s; proxy_pass http://api; }
        location = /api { proxy_read_timeout 5s; proxy_pass http://api; }
        location /v2/ { proxy_pass http://api/; }
        location /old/ { return 301 https://new.example.com/; }
        location /inside/ { allow 10.9.9.0/24; deny all; proxy_pass http://web; }
        location /never/ { deny all; }
        location /secret/ { auth_basic "x"; auth_basic_user_file nobody; proxy_pass http://web; }
    }
    server {
        listen %[1]s;
        server_name *.api.example.com;
        location / { proxy_set_header Host $host; proxy_pass http://%[3]s; }
    }
    server {
        listen %[1]s default_server;
        return 404;
    }
`

// question is one request, and whether the answer is the same after the import. What is not is
// in the report.
type question struct{ method, host, path, body, after string }

var questions = []question{
	{"GET", "shop.example.com", "/", "", ""},
	{"GET", "www.shop.example.com", "/a/b?c=d", "", ""},
	{"POST", "shop.example.com", "/form", "x=1", ""},
	{"POST", "shop.example.com", "/form", strings.Repeat("x", 2000), ""},
	{"GET", "shop.example.com", "/health", "", ""},
	{"GET", "shop.example.com", "/healthy", "", ""},
	{"GET", "shop.example.com", "/api", "", ""},
	{"GET", "shop.example.com", "/api/things", "", ""},
	{"GET", "shop.example.com", "/apis", "", ""},
	{"GET", "shop.example.com", "/v2/things", "", ""},
	{"GET", "shop.example.com", "/old/page", "", ""},
	{"GET", "shop.example.com", "/inside/x", "", ""},
	{"GET", "shop.example.com", "/never/x", "", ""},
	{"GET", "shop.example.com", "/secret/x", "", "503"},
	{"GET", "one.api.example.com", "/", "", ""},
	{"GET", "a.b.api.example.com", "/deep", "", ""},
	{"GET", "api.example.com", "/", "", ""},
	{"GET", "nobody.example.com", "/", "", ""},
}

// ask sends the request and sums up the answer.
func (q question) ask(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequest(q.method, "http://"+address+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Close = q.host, true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		body = nil // pages of nginx, which differ
	}
	return fmt.Sprintf("%d %q %q %s", resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("X-Backend"), body)
}

// echo is a backend that tells what it was asked.
func echo(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", name)
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s%s %d", r.Method, r.Host, r.URL.RequestURI(), len(body))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A node with a configuration that people wrote is imported and applied, and the rendered
// servers answer as the old ones did.
func TestImport(t *testing.T) {
	web, api := echo(t, "web"), echo(t, "api")
	s := configure(t, "objects: ["+objectFile(t, "kind: Fleet\nname: shared\nspec: {reloadBudget: {every: 1s}}\n")+"]\n")
	s.start()
	m := mirror{agenttest.New(t), "n1"}
	old := freeport.Address(t)
	m.WriteConf(t, fmt.Sprintf(byHand, old, web, api))
	m.Start(t)
	var before []string
	for _, q := range questions {
		before = append(before, q.ask(t, old))
	}
	s.tend(m)
	s.eachNode("the node's report", []mirror{m}, func(_ mirror, n gateway.Node) error {
		if n.Facts.ConfPath == "" || n.Running == "" {
			return fmt.Errorf("it has not reported: %+v", n)
		}
		return nil
	})

	dir := t.TempDir()
	objects, report := filepath.Join(dir, "shop.yaml"), filepath.Join(dir, "report")
	out := s.must("fleet", "import", "n1", "--tenant", "acme", "--overrides", "--out", objects, "--report", report)
	if want := "9 routes (answered 503 until settled: 1), 3 upstreams; "; !strings.HasPrefix(out, want) {
		t.Errorf("sluice fleet import says %q, want %q...", out, want)
	}
	notes, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"auth_basic", "Next: sluice apply -f " + objects} {
		if !strings.Contains(string(notes), part) {
			t.Errorf("the report does not tell of %q:\n%s", part, notes)
		}
	}
	s.must("apply", "-f", objects)
	until(t, rollout, "the rendered servers answer as the old ones did", func() error {
		var wrong []string
		for i, q := range questions {
			want := before[i]
			got := q.ask(t, m.Address)
			if q.after != "" && strings.HasPrefix(got, q.after) {
				continue
			}
			if got != want {
				wrong = append(wrong, fmt.Sprintf("%s %s%s: %s, was %s", q.method, q.host, q.path, got, want))
			}
		}
		if wrong != nil {
			return fmt.Errorf("%s\n%s", strings.Join(wrong, "\n"), s.must("fleet", "nodes", "shared")+s.must("status"))
		}
		return nil
	})
	for i, q := range questions {
		if got := q.ask(t, old); got != before[i] {
			t.Errorf("the old server answers %s, was %s", got, before[i])
		}
	}
	// Importing again reads the files of people only, and gives the same.
	again := filepath.Join(dir, "again.yaml")
	s.must("fleet", "import", "n1", "--tenant", "acme", "--overrides", "--out", again)
	first, err := os.ReadFile(objects)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(again); err != nil || string(second) != string(first) {
		t.Errorf("a second import differs (%v):\n%s", err, second)
	}
}
