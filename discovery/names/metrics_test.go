package names

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// metered are the samples of a keeper that are not zero, each by its line.
func metered(t *testing.T, k *Keeper) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(k)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := new(strings.Builder)
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(all, f); err != nil {
			t.Fatal(err)
		}
	}
	out := ""
	for line := range strings.Lines(all.String()) {
		if !strings.HasPrefix(line, "#") && !strings.HasSuffix(line, " 0\n") {
			out += line
		}
	}
	return out
}

// What is announced and how calls ended is measured and listed.
func TestNamesAreMeasured(t *testing.T) {
	bubble(t, func(*Config) {}, func(k *Keeper, l *listener) {
		expect := func(what, want string) {
			t.Helper()
			if got := metered(t, k); got != want {
				t.Errorf("%s:\n%swant\n%s", what, got, want)
			}
		}
		k.Apply(snapshot("api"))
		pass(lookEvery)
		expect("announced", `sluice_name_calls_total{call="announce",result="done"} 1
sluice_names{state="announced"} 1
sluice_names_leading 1
`)
		if n := k.Names(); len(n) != 1 || n[0].Host != "api.shop.svc.example.test" || n[0].Phase != Announced || n[0].Error != "" || !n[0].Next.IsZero() {
			t.Errorf("names %+v", n)
		}
		l.err = ErrTaken
		k.Apply(snapshot())
		pass(lookEvery)
		expect("the withdrawal finds somebody else's name", `sluice_name_calls_total{call="announce",result="done"} 1
sluice_name_calls_total{call="withdraw",result="taken"} 1
sluice_names{state="pending"} 1
sluice_names_failing 1
sluice_names_leading 1
`)
		if n := k.Names(); len(n) != 1 || n[0].Phase != Withdrawing || n[0].Error == "" || n[0].Next.IsZero() {
			t.Errorf("names %+v", n)
		}
	})
}
