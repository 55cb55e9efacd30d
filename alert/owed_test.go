package alert

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

func noticeOf(t *testing.T, what shown) []byte {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func owedTo(since time.Duration, id string, receivers ...string) owed {
	name, over := strings.CutSuffix(id, " over")
	return owed{Alert: gateway.Alert{ID: name, Resolved: over}, Since: start.Add(since), Receivers: receivers}
}

func marks(all []owed) string {
	var out []string
	for _, o := range all {
		out = append(out, strings.TrimSpace(mark(&o.Alert))+" to "+strings.Join(o.Receivers, "+"))
	}
	return strings.Join(out, ", ")
}

// What a node owed that is gone is told by the one that leads then, as it is by then.
func TestInherit(t *testing.T) {
	warning := gateway.SeverityWarning
	debts := []owed{owedTo(0, "a", "ops"), owedTo(0, "gone", "ops"), owedTo(0, "b over", "ops", "acme"), owedTo(0, "c over", "ops")}
	for _, c := range []struct {
		name   string
		leads  bool
		after  time.Duration // since the node is gone, when this one is to tell
		others map[string][]byte
		own    []gateway.Alert
		want   string
	}{
		{"what holds, and what is over", true, 0, map[string][]byte{}, holds("edge-1", warning, "a"), "a warning to ops, b over to ops+acme, c over to ops"},
		{"it got worse", true, 0, map[string][]byte{}, holds("edge-1", gateway.SeverityCritical, "a"), "a critical to ops, b over to ops+acme, c over to ops"},
		{"it holds again", true, 0, map[string][]byte{}, holds("edge-1", warning, "a", "c"), "a warning to ops, b over to ops+acme"},
		{"another one tells", false, 0, map[string][]byte{}, holds("edge-1", warning, "a"), ""},
		{"this one tells later", false, 20 * time.Second, map[string][]byte{}, holds("edge-1", warning, "a"), "a warning to ops, b over to ops+acme, c over to ops"},
		{"another one has told", false, 60 * time.Second, map[string][]byte{}, holds("edge-1", warning, "a"), ""},
		{"it is back", true, 0, map[string][]byte{"2": noticeOf(t, shown{Owed: debts})}, holds("edge-1", warning, "a"), ""},
		{"it can not be read", true, 0, map[string][]byte{"2": []byte("{")}, holds("edge-1", warning, "a"), ""},
		{"nobody can be heard", true, 0, nil, holds("edge-1", warning, "a"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShare("edge-1")
			s.take(start, map[string][]byte{"2": noticeOf(t, shown{Owed: debts})})
			s.merge(start, c.own, nil)
			if got := s.inherit(start); len(got) > 0 {
				t.Errorf("inherited from one that lives: %q", marks(got))
			}
			s.take(start, c.others)
			for at := time.Duration(0); at <= c.after; at += 10 * time.Second {
				s.leading = c.leads
				if at > 0 && at == c.after {
					s.leading = true
				}
				now := start.Add(at)
				s.merge(now, c.own, nil)
				got := marks(s.inherit(now))
				if at < c.after {
					if got != "" {
						t.Errorf("%s after: %q", at, got)
					}
				} else if got != c.want {
					t.Errorf("inherited %q, want %q", got, c.want)
				}
				if again := s.inherit(now); len(again) > 0 {
					t.Errorf("inherited again: %q", marks(again))
				}
			}
		})
	}
}

// What is shown as owed: what waits and what is being sent, of all receivers, and nothing that is
// told or refused. What comes back keeps its age, and gives way to newer states.
func TestOwes(t *testing.T) {
	named := func(name string) *worker { return &worker{receiver: Receiver{Name: name}, queue: newQueue()} }
	ops, acme := named("ops"), named("acme")
	both := []*worker{ops, acme}
	is := func(want string) {
		t.Helper()
		if got := marks(owes(both)); got != want {
			t.Errorf("owes %q, want %q", got, want)
		}
	}
	is("")
	at := start
	for _, id := range []string{"a", "b", "c"} {
		at = at.Add(time.Minute)
		ops.queue.put(at, gateway.Alert{ID: id})
	}
	acme.queue.put(at.Add(time.Minute), gateway.Alert{ID: "a"})
	acme.queue.put(at.Add(2*time.Minute), gateway.Alert{ID: "b", Resolved: true, Detail: strings.Repeat("x", 2*shareDetail)})
	is("b over to acme, c to ops, b to ops, a to ops+acme")
	for _, o := range owes(both) {
		if len(o.Alert.Detail) > shareDetail+3 {
			t.Errorf("a detail of %d bytes is shown", len(o.Alert.Detail))
		}
	}
	taken := ops.queue.take(at) // a b c are being sent
	is("b over to acme, c to ops, b to ops, a to ops+acme")
	ops.queue.sent(1)
	ops.queue.giveBack(taken[1:])
	is("b over to acme, a to acme, c to ops, b to ops")
	ops.queue.inherit(waiting{gateway.Alert{ID: "d"}, start})
	ops.queue.inherit(waiting{gateway.Alert{ID: "c"}, start}) // c waits already
	is("b over to acme, a to acme, c to ops, b to ops, d to ops")
	ops.queue.forget("c")
	is("b over to acme, a to acme, b to ops, d to ops")
	if waits := ops.queue.waiting(); !slices.IsSortedFunc(waits, func(a, b waiting) int { return a.at.Compare(b.at) }) {
		t.Errorf("what was inherited is not first: %+v", waits)
	}
	if late := ops.queue.take(start.Add(tooOld + time.Second)); len(late) != 1 || late[0].ID != "b" {
		t.Errorf("what was inherited is told however old it is: %+v", late)
	}
	for i := range 2 * shareRoom {
		ops.queue.put(at, gateway.Alert{ID: strings.Repeat("x", i)})
		acme.queue.put(at, gateway.Alert{ID: strings.Repeat("x", i)})
	}
	if n := len(owes(both)); n != shareRoom {
		t.Errorf("%d are shown", n)
	}
}
