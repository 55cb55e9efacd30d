package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// sluice runs the program as a person would, against the instance, and returns what it prints.
func (s *instance) sluice(args ...string) (string, error) {
	cmd := exec.Command(program(s.t, "sluice"), append(args, "--server", "http://"+s.admin)...)
	cmd.Env = append(os.Environ(), "SLUICE_TOKEN="+adminToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("sluice %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (s *instance) must(args ...string) string {
	s.t.Helper()
	out, err := s.sluice(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// A person drains one of two endpoints and takes that back: requests follow, the restart of the
// process changes nothing, and the ledger says who did it and why.
func TestDrainByHand(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	s := configure(t, "objects: ["+objectFile(t, shopOf(one, two))+"]\n")
	s.start()
	answers := func(n int) map[string]int {
		got := map[string]int{}
		for range n {
			name, _ := s.answeredBy("shop.example.com")
			got[name]++
		}
		return got
	}
	only := func(name string) error {
		if got := answers(10); got[name] != 10 {
			return fmt.Errorf("answers come from %v", got)
		}
		return nil
	}
	both := func() error {
		if got := answers(40); got["one"] == 0 || got["two"] == 0 || got["one"]+got["two"] != 40 {
			return fmt.Errorf("answers come from %v", got)
		}
		return nil
	}
	until(t, 20*time.Second, "both serve", both)
	if out := s.must("health", "ls"); !strings.Contains(out, "acme/api") || !strings.Contains(out, "may eject 1 of 2: ") {
		t.Errorf("sluice health ls:\n%s", out)
	}
	var h gateway.UpstreamHealth
	if err := s.api(http.MethodGet, strings.TrimSuffix(endpointsPath, "endpoints")+"health", nil, &h); err != nil || !strings.HasPrefix(h.Arithmetic, "may eject 1 of 2") {
		t.Errorf("%v, %+v", err, h)
	}

	s.must("upstream", "drain", "api", one, "--reason", "new disk", "--for", "1h")
	until(t, 20*time.Second, "the drained one gets nothing", func() error { return only("two") })
	if out := s.must("upstream", "show", "api"); !strings.Contains(out, "drained by admin: new disk") {
		t.Errorf("sluice upstream show:\n%s", out)
	}
	s.kill()
	s.launch()
	until(t, 20*time.Second, "it is drained after a restart", func() error { return only("two") })

	// Drained by hand wins over everything: the other one is down by hand as well, and nobody serves.
	s.must("upstream", "down", "api", two)
	until(t, 20*time.Second, "nobody serves", func() error {
		if name, status := s.answeredBy("shop.example.com"); status < 500 {
			return fmt.Errorf("answered by %q with %d", name, status)
		}
		return nil
	})
	s.must("upstream", "undrain", "api", two)
	until(t, 20*time.Second, "the other one serves again", func() error { return only("two") })
	s.must("upstream", "unpin", "api", one)
	until(t, 60*time.Second, "both serve again", both)

	out := s.must("health", "log", "api", "--endpoint", one)
	for _, want := range []string{"pinned", "unpinned", "drained by admin: new disk [by_hand]"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in sluice health log:\n%s", want, out)
		}
	}
}
