package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// slardar is an instance whose admin API is spoken to as Slardar is. Its tenant may have any
// host.
type slardar struct{ *instance }

func newSlardar(t *testing.T) slardar {
	t.Helper()
	objects := objectFile(t, "kind: Tenant\nname: upyun\nspec: {hosts: ['*']}")
	s := slardar{configure(t, "objects: ["+objects+"]\n")}
	file := s.dir + "/sluice.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("admin: {"), []byte("admin: {slardar: {tenant: upyun}, "), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

// reply is what Slardar answers to everything but /status.
type reply struct {
	Status int
	Msg    string
	Notes  []string
}

// curl sends a request as a script would, and checks that status line and body agree.
func (s slardar) curl(method, path, body string) reply {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.admin+"/compat/slardar"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d does
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var r reply
	if err := json.Unmarshal(b, &r); err != nil || r.Status != resp.StatusCode {
		s.t.Fatalf("%s %s: %s %s", method, path, resp.Status, b)
	}
	return r
}

// post writes an upstream.
func (s slardar) post(name, body string) {
	s.t.Helper()
	if r := s.curl(http.MethodPost, "/upstream/"+name, body); r.Status != 200 || r.Msg != "" {
		s.t.Fatalf("upstream %s: %+v", name, r)
	}
}

// status reads the status page.
func (s slardar) status() map[string]json.RawMessage {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.admin+"/compat/slardar/status", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page := map[string]json.RawMessage{}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != 200 {
		s.t.Fatalf("status: %s %v", resp.Status, err)
	}
	return page
}

// servers are the states of an upstream's servers, level by level: "ok ok/err".
func (s slardar) servers(name string) string {
	s.t.Helper()
	var levels [][]struct {
		Status  string `json:"status"`
		FailNum int    `json:"fail_num"`
	}
	if raw := s.status()["cls:"+name]; raw == nil || json.Unmarshal(raw, &levels) != nil {
		return string(raw)
	}
	var out []string
	for _, l := range levels {
		var states []string
		for _, p := range l {
			states = append(states, p.Status)
		}
		out = append(out, strings.Join(states, " "))
	}
	return strings.Join(out, "/")
}

// becomes waits for states.
func (s slardar) becomes(name, want string) {
	s.t.Helper()
	until(s.t, 30*time.Second, "status "+want, func() error {
		if got := s.servers(name); got != want {
			return fmt.Errorf("%s is %s", name, got)
		}
		return nil
	})
}

// serves waits until a host is answered with the status, by one of the names.
func (s slardar) serves(host string, status int, names ...string) {
	s.t.Helper()
	until(s.t, 30*time.Second, host, func() error {
		name, got := s.answeredBy(host)
		if got != status || !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
			return fmt.Errorf("%d by %q", got, name)
		}
		return nil
	})
}

// server is an address as Slardar writes it.
func server(address string, more ...string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf(`{"host":%q,"port":%s%s}`, host, port, strings.Join(append([]string{""}, more...), ","))
}

func servers(addresses ...string) string {
	var list []string
	for _, a := range addresses {
		list = append(list, server(a))
	}
	return `"servers":[` + strings.Join(list, ",") + `]`
}

// TestSlardar is a day with it: an upstream is added and has traffic, an endpoint dies and
// comes back, a list is replaced, feedback takes a server out, and the upstream goes.
func TestSlardar(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := newSlardar(t)
	if r := s.curl(http.MethodDelete, "/upstream/node-dev.example.com", ""); r.Status != 400 || r.Msg != "upstream node-dev.example.com not found" {
		t.Errorf("delete of nothing: %+v", r)
	}
	s.post("node-dev.example.com", "{"+servers(one)+"}")
	s.serves("node-dev.example.com", 200, "one")
	s.becomes("node-dev.example.com", "ok")

	dead := freeport.Address(t)
	s.post("node-dev.example.com", "{"+servers(one, dead)+"}")
	s.becomes("node-dev.example.com", "ok err")
	for range 20 {
		if name, status := s.answeredBy("node-dev.example.com"); name != "one" || status != 200 {
			t.Fatalf("answered by %q with %d while %s is out", name, status, dead)
		}
	}
	s.post("node-dev.example.com", `{"servers":[`+server(one, `"max_fails":1`, `"fail_timeout":300`)+","+server(two, `"max_fails":1`, `"fail_timeout":300`)+"]}")
	s.serves("node-dev.example.com", 200, "two")
	if r := s.curl(http.MethodPost, "/feedback/node-dev.example.com", strings.TrimSuffix(server(one), "}")+`,"failed":true}`); r.Status != 200 {
		t.Errorf("feedback: %+v", r)
	}
	s.becomes("node-dev.example.com", "err ok")
	if r := s.curl(http.MethodDelete, "/upstream/node-dev.example.com", ""); r.Status != 200 {
		t.Errorf("delete: %+v", r)
	}
	s.serves("node-dev.example.com", 404, "")
	if page := s.status(); page["cls:node-dev.example.com"] != nil {
		t.Errorf("still on the page: %s", page["cls:node-dev.example.com"])
	}
}
