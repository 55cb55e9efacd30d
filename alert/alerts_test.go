package alert

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Who was told of a beginning is told of the end, and of nothing else: also when the tenant
// names others by then, or the alert was worse for a while.
func TestWhoeverHeardTheBeginningHearsTheEnd(t *testing.T) {
	var receivers []Receiver
	for _, r := range []Receiver{{Name: "all"}, {Name: "critical", Critical: true}, {Name: "first", Scope: ScopeTenants}, {Name: "second", Scope: ScopeTenants}, {Name: "drift", Kinds: []gateway.AlertKind{gateway.AlertDrift}}} {
		r.Type, r.URL = TypeJSON, "http://127.0.0.1"
		r.Check(func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
		receivers = append(receivers, r)
	}
	named := []string{"first"}
	a, err := New(Config{Receivers: receivers, ReceiversOf: func(string) []string { return named }})
	if err != nil {
		t.Fatal(err)
	}
	hear := func(code string) (out []string) {
		var f Facts
		if code != "" {
			f.Problems = []gateway.Problem{certificate(code)}
		}
		a.note(a.book.Look(time.Now(), a.kinds, Conditions(f)))
		for _, w := range a.workers {
			if len(w.queue.take(time.Now())) > 0 {
				out = append(out, w.receiver.Name)
			}
		}
		return out
	}
	for _, step := range []struct {
		code  string
		named []string
		want  []string
	}{
		{"certificate_expiring", []string{"first"}, []string{"all", "first"}},
		{"certificate_expiring", []string{"second"}, nil},
		{"certificate_expired", []string{"first"}, []string{"all", "critical", "first"}},
		{"", []string{"second"}, []string{"all", "critical", "first"}},
		{"certificate_expired", []string{"second"}, []string{"all", "critical", "second"}},
		{"", nil, []string{"all", "critical", "second"}},
	} {
		named = step.named
		if got := hear(step.code); !slices.Equal(got, step.want) {
			t.Errorf("%q with %v: told %v, want %v", step.code, step.named, got, step.want)
		}
	}
	if len(a.told) != 0 {
		t.Errorf("%d are kept for nothing", len(a.told))
	}
}
