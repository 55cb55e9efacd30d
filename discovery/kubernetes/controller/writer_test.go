package controller

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

func newTestClient(t *testing.T, kubeconfig string) *client {
	t.Helper()
	c, err := newClient(kubernetes.Config{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// A holder that is gone without a word loses the Lease after its life, and not before; one
// that renews it never does. Time is that of the test.
func leaseChangesHands(t *testing.T, account string) {
	api := newTestClient(t, account)
	first, second := newLease(api, "sluice", "test", "same-node"), newLease(api, "sluice", "test", "same-node")
	at := time.Now()
	hold := func(who *lease, after time.Duration, want bool) {
		t.Helper()
		held, err := who.hold(context.Background(), at.Add(after))
		if err != nil || held != want {
			t.Errorf("after %v: held %v, %v; want %v", after, held, err, want)
		}
	}
	hold(first, 0, true)
	hold(second, 0, false)
	for s := 5 * time.Second; s <= 30*time.Second; s += 5 * time.Second {
		hold(first, s, true)
		hold(second, s, false)
	}
	hold(second, 40*time.Second, false) // the first one was last seen to renew it 10 s ago
	hold(second, 46*time.Second, true)
	hold(first, 47*time.Second, false)
	hold(second, 51*time.Second, true)
	second.release()
	hold(first, 55*time.Second, true) // at once, since nobody holds it
}

// What is still wrong is told again before the API forgets it, and not at every turn.
func eventsAreRenewed(t *testing.T, c *kubetest.Cluster, account string) {
	c.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: renewed}")
	w := newWriter(Config{Node: "n"}, newTestClient(t, account), slog.New(slog.DiscardHandler))
	p := []ingress.Problem{{Subject: ingress.Subject{Kind: "Ingress", NamespacedName: types.NamespacedName{Namespace: "renewed", Name: "web"}, UID: "u"},
		Type: "Warning", Reason: "PathTaken", Message: "It is taken."}}
	at := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Minute, 1}, {49 * time.Minute, 1}, {51 * time.Minute, 2}, {52 * time.Minute, 2}} {
		if due := w.dueAgain(at.Add(step.after)); due != (step.after == 51*time.Minute) {
			t.Errorf("after %v: due again %v", step.after, due)
		}
		if err := w.writeEvents(context.Background(), p, at.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if n := events(t, c, "renewed", "web")["Warning PathTaken It is taken."]; n != step.want {
			t.Errorf("after %v: %d events, want %d", step.after, n, step.want)
		}
	}
	if err := w.writeEvents(context.Background(), nil, at); err != nil || len(w.told) != 0 {
		t.Errorf("settled problems are still kept: %v, %v", w.told, err)
	}
}

func TestShortened(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcdef", 5, "ab..."}, {"aäbcdef", 5, "a..."}} {
		if got := shortened(c.text, c.n); got != c.want {
			t.Errorf("%q to %d: %q", c.text, c.n, got)
		}
	}
}

func TestCode(t *testing.T) {
	if got := code("HostNotOwned"); got != "host_not_owned" {
		t.Error(got)
	}
}
