package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// drifting is a fleet of ten nodes, one of which is edited by hand.
type drifting struct {
	*instance
	members []mirror
	seventh mirror
	// location is the file with the one location of the shop.
	location string
}

// TestDriftStory: somebody edits node 7 of 10 by hand. That it is edited and not loaded is told
// apart from edited and loaded, and every way to settle it ends with nodes that are as people
// decided.
func TestDriftStory(t *testing.T) {
	one, two := backend(t, "one", ""), backend(t, "two", "")
	objects := strings.Replace(fmt.Sprintf(mirrored, one), "[proxy_buffering]", "[proxy_buffering, proxy_read_timeout]", 1)
	s := configure(t, "objects: ["+objectFile(t, objects)+"]\n")
	s.start()
	d := &drifting{instance: s, location: "servers/acme.shop.example.com.conf"}
	for i := range 10 {
		d.members = append(d.members, s.mirrorTo(fmt.Sprintf("n%02d", i+1)))
	}
	d.seventh = d.members[6]
	s.eachNode("first rollout", d.members, inSync("one"))
	d.says("all are alike", "10 alike\n")

	d.editedThenLoaded()
	d.adopts()
	d.revertsUnloaded()
	d.revertsLoaded()
	d.allows(two)
	d.settlesOutside()
	d.downloads()
}

// drift is what people see.
func (d *drifting) drift() string {
	d.t.Helper()
	out, err := d.command("fleet", "drift", "shared")
	if err != nil {
		d.t.Fatalf("sluice fleet drift: %v %s", err, out)
	}
	return out
}

// says waits until the report holds all of parts, and returns it.
func (d *drifting) says(what string, parts ...string) (out string) {
	d.t.Helper()
	until(d.t, rollout, what, func() error {
		out = d.drift()
		for _, p := range parts {
			if !strings.Contains(out, p) {
				return fmt.Errorf("%q is not in\n%s", p, out)
			}
		}
		return nil
	})
	return out
}

// edit changes a file of the rendered tree of node 7 with an editor, so to say.
func (d *drifting) edit(pairs ...string) {
	d.t.Helper()
	d.rewrite(filepath.Join(d.seventh.TreeDir, "current", d.location), pairs...)
}

func (d *drifting) rewrite(file string, pairs ...string) {
	d.t.Helper()
	b, err := os.ReadFile(file)
	after := strings.NewReplacer(pairs...).Replace(string(b))
	if err == nil && after == string(b) {
		err = fmt.Errorf("nothing to edit in\n%s", b)
	}
	if err == nil {
		err = os.WriteFile(file, []byte(after), 0o644)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *drifting) reload() {
	d.t.Helper()
	if err := syscall.Kill(d.seventh.PID(), syscall.SIGHUP); err != nil {
		d.t.Fatal(err)
	}
}

// have checks the text of the shop's location on nodes.
func (d *drifting) have(members []mirror, text string, want bool) error {
	var errs []error
	for _, m := range members {
		b, err := os.ReadFile(filepath.Join(m.TreeDir, "current", d.location))
		if err == nil && strings.Contains(string(b), text) != want {
			err = fmt.Errorf("%s has %q: %v\n%s", m.name, text, !want, b)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

var hunkID = regexp.MustCompile(`(?m)^hunk ([0-9a-f]{12}):`)

// hunks are the ids in a report, each once.
func hunks(report string) (ids []string) {
	for _, m := range hunkID.FindAllStringSubmatch(report, -1) {
		if !slices.Contains(ids, m[1]) {
			ids = append(ids, m[1])
		}
	}
	return ids
}

func (d *drifting) settle(ids []string, args ...string) {
	d.t.Helper()
	if len(ids) == 0 {
		d.t.Fatal("there is nothing to settle")
	}
	if out, err := d.command(append(append([]string{"fleet", "settle", "shared"}, ids...), args...)...); err != nil {
		d.t.Fatalf("sluice fleet settle: %v %s\n%s", err, out, d.drift())
	}
}

func (d *drifting) editedThenLoaded() {
	d.edit("proxy_read_timeout 60s;", "proxy_read_timeout 7s;\n        proxy_buffering off;")
	begin := time.Now()
	unloaded := d.says("an edit that nginx has not read", "9 alike, 1 differs in 2 directives", "n07: on disk != running", "n07: "+d.location+" modified by hand, file of root (uid 0)",
		"(server shop.example.com > location /), changed, by hand", "  - proxy_read_timeout 60s;", "  + proxy_read_timeout 7s;", "  + proxy_buffering off;")
	d.t.Logf("figure drift_shown_after %.2f s goal 5", time.Since(begin).Seconds())
	if strings.Contains(unloaded, "n06") || strings.Contains(unloaded, "n08") {
		d.t.Errorf("nodes that nobody touched are named:\n%s", unloaded)
	}
	d.reload()
	loaded := d.says("an edit that nginx has read", "9 alike, 1 differs in 2 directives", "n07: running != desired")
	if !slices.Equal(hunks(unloaded), hunks(loaded)) || len(hunks(loaded)) != 2 {
		d.t.Errorf("hunks %v, before %v", hunks(loaded), hunks(unloaded))
	}
	var n gateway.Node
	if err := d.api(http.MethodGet, "/fleets/shared/nodes/n07", nil, &n); err != nil || n.State != gateway.NodeDrifted || n.Mismatch != gateway.MismatchRunningDesired {
		d.t.Errorf("%v, state %s, mismatch %s", err, n.State, n.Mismatch)
	}
}

func (d *drifting) adopts() {
	two := hunks(d.drift())
	if out, err := d.command("fleet", "adopt", "shared", two[0], "--dry-run", "--reason", "x"); err != nil || !strings.Contains(out, "note: hunk "+two[1]+" of "+d.location+" on n07 is not adopted") {
		d.t.Errorf("one of two edits of a file: %v %s", err, out)
	}
	if out, err := d.command("fleet", "revert", "shared", "--all", "--node", "n06"); err == nil || !strings.Contains(out, "no rendered file was edited by hand on n06") {
		d.t.Errorf("all edits of a node without any: %v %s", err, out)
	}
	d.settle(two, "--adopt", "--reason", "OPS-7 slow answers")
	d.eachNode("the adopted edit reaches all", d.members, inSync("one"))
	until(d.t, rollout, "all have the edit", func() error {
		return errors.Join(d.have(d.members, "proxy_read_timeout 7s;", true), d.have(d.members, "proxy_buffering off;", true))
	})
	d.eachNode("in step", d.members, inSync("one"))
	d.says("all are alike after adopting", "10 alike\n")
	until(d.t, rollout, "an adopted edit is none by hand", func() error {
		if out := d.drift(); strings.Contains(out, "by hand") {
			return errors.New(out)
		}
		return nil
	})
	out, err := d.command("get", "override", "-t", "acme", "-o", "json")
	if err != nil || strings.Count(out, `"reason": "OPS-7 slow answers"`) != 2 || !strings.Contains(out, `"createdBy": "admin"`) {
		d.t.Errorf("overrides: %v %s", err, out)
	}
}

func (d *drifting) revertsUnloaded() {
	workers := d.seventh.Workers()
	d.edit("proxy_buffering off;", "proxy_buffering on;")
	report := d.says("a second edit", "9 alike, 1 differs in 1 directive", "n07: on disk != running")
	d.settle(hunks(report), "--revert")
	d.says("all are alike after reverting", "10 alike\n")
	d.eachNode("in step after reverting", d.members, inSync("one"))
	if now := d.seventh.Workers(); !slices.Equal(now, workers) {
		d.t.Errorf("nginx was reloaded for an edit that it had never read: workers %v, before %v", now, workers)
	}
}

func (d *drifting) revertsLoaded() {
	d.edit("proxy_buffering off;", "return 418;")
	d.says("a third edit", "9 alike, 1 differs in 2 directives")
	d.reload()
	report := d.says("the third edit runs", "n07: running != desired")
	if resp := d.status(); resp != http.StatusTeapot {
		d.t.Errorf("node 7 answers %d", resp)
	}
	d.settle(hunks(report), "--revert")
	d.says("all are alike after reverting again", "10 alike\n")
	d.eachNode("in step after reverting again", d.members, inSync("one"))
}

// status is what node 7 answers.
func (d *drifting) status() int {
	req, err := http.NewRequest(http.MethodGet, "http://"+d.seventh.Address+"/", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Host, req.Close = "shop.example.com", true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (d *drifting) allows(two string) {
	const edit = "proxy_send_timeout 9s;"
	d.edit("proxy_send_timeout 60s;", edit)
	report := d.says("an edit to allow", "9 alike, 1 differs in 1 directive")
	d.reload()
	ids := hunks(report)
	d.settle(ids, "--allow-until", "2099-01-31", "--reason", "OPS-8 until the disk is new")
	d.says("the edit is allowed", "9 alike, 1 differs in 1 directive", "allowed until 2099-0", "by admin: OPS-8 until the disk is new")
	d.eachNode("an allowed edit is no drift", d.members, inSync("one"))

	if err := d.api(http.MethodPut, endpointsPath, endpoints(two), nil); err != nil {
		d.t.Fatal(err)
	}
	d.eachNode("a new bundle", d.members, inSync("two"))
	if err := errors.Join(d.have([]mirror{d.seventh}, edit, true), d.have(d.members[:6], edit, false)); err != nil {
		d.t.Error(err)
	}
	d.says("the edit has gone on", "9 alike, 1 differs in 1 directive", ids[0], "allowed until 2099-0")

	end := time.Now().Add(15 * time.Second).UTC().Format(time.RFC3339Nano)
	d.settle(ids, "--allow-until", end, "--reason", "OPS-8 is done")
	until(d.t, rollout, "the date has passed", func() error {
		var n gateway.Node
		err := d.api(http.MethodGet, "/fleets/shared/nodes/n07", nil, &n)
		if err == nil && (n.State != gateway.NodeDrifted || n.Allowed != 0) {
			err = fmt.Errorf("n07 is %s with %d allowed", n.State, n.Allowed)
		}
		return err
	})
	d.settle(ids, "--revert")
	d.says("all are alike in the end", "10 alike\n")
	d.eachNode("in step in the end", d.members, inSync("two"))
}

// settlesOutside: nginx.conf is not ours, and most nodes say what it should be.
func (d *drifting) settlesOutside() {
	before, err := os.ReadFile(d.seventh.Conf)
	if err != nil {
		d.t.Fatal(err)
	}
	d.rewrite(d.seventh.Conf, "access_log off;", "access_log off;\n    keepalive_timeout 5s; # mine")
	report := d.says("an edit of nginx.conf", "9 alike, 1 differs in 1 directive", d.seventh.Conf+":", "added, unlike most nodes", "  + keepalive_timeout 5s;")
	if out, err := d.command("fleet", "settle", "shared", hunks(report)[0], "--adopt", "--reason", "x"); err == nil || !strings.Contains(out, "not a file that Sluice writes") {
		d.t.Errorf("nginx.conf is adopted: %v %s", err, out)
	}
	d.settle(hunks(report), "--revert")
	d.says("nginx.conf is as on most nodes", "10 alike\n")
	if after, err := os.ReadFile(d.seventh.Conf); err != nil || string(after) != string(before) {
		d.t.Errorf("nginx.conf is %q, %v, and was %q", after, err, before)
	}
}

func (d *drifting) downloads() {
	text, err := d.command("fleet", "download", "n07", "--text", "-o", "-")
	if err != nil || !strings.Contains(text, "# configuration file "+d.seventh.Conf+":") || !strings.Contains(text, "# configuration file tree/"+d.location+":") {
		d.t.Errorf("one text: %v %s", err, text)
	}
	var n gateway.Node
	if err := d.api(http.MethodGet, "/fleets/shared/nodes/n07", nil, &n); err != nil {
		d.t.Fatal(err)
	}
	revision, err := d.command("fleet", "download", "--fleet", "shared", "--revision", n.Desired, "--text", "-o", "-")
	if err != nil || !strings.Contains(revision, n.Desired) || strings.Contains(revision, d.seventh.Conf) {
		d.t.Errorf("the revision: %v %s", err, revision)
	}
	if out, err := d.command("fleet", "diff", "shared", "desired:n07", "n07"); err != nil || out != "" {
		d.t.Errorf("desired and node: %v %s", err, out)
	}
	if out, err := d.command("fleet", "diff", "shared", "n06", "n07", "--side-by-side"); err != nil || !strings.Contains(out, d.members[5].Address) || !strings.Contains(out, d.seventh.Address) || !strings.Contains(out, " | ") {
		d.t.Errorf("node and node: %v %s", err, out)
	}
}
