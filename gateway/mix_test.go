package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

// entry is a line of spec.discover with its traits; each "" is not declared.
func entry(d gateway.Discover, precedence, weight, priority string) gateway.Discover {
	number := func(s string) *int {
		if s == "" {
			return nil
		}
		var n int
		if _, err := fmt.Sscan(s, &n); err != nil {
			panic(err)
		}
		return &n
	}
	d.Precedence, d.Weight, d.Priority = number(precedence), number(weight), number(priority)
	return d
}

var (
	fromKube = gateway.Discover{Kubernetes: &gateway.KubernetesDiscover{Namespace: "shop", Service: "api", Port: "http"}}
	fromEtcd = gateway.Discover{Etcd: &gateway.EtcdDiscover{Prefix: "/api/"}}
	fromDNS  = gateway.Discover{DNS: &gateway.DNSDiscover{Name: "api.test", Port: 80}}
	byHand   = gateway.Discover{Manual: &gateway.ManualDiscover{}}
)

// mixed builds one upstream from places, each with its endpoints: "ADDRESS WEIGHT", and words
// that follow ("prio=1", "terminating", "zone=a"). by names the place: "kubernetes", "etcd",
// "dns" or "manual".
func mixed(t testing.TB, discover []gateway.Discover, by map[string][]string, verdicts ...gateway.Verdict) (*gateway.EffectiveUpstream, []string) {
	t.Helper()
	u := upstream("acme", "api")
	u.Spec.Discover = discover
	var sets []gateway.EndpointSet
	for place, lines := range by {
		s := gateway.EndpointSet{SetKey: gateway.SetKey{Upstream: u.Key(), Source: gateway.SourceManual}}
		for _, d := range []gateway.Discover{fromKube, fromEtcd, fromDNS} {
			if k := d.SetKey(u.Key()); string(k.Source) == place {
				s.SetKey = k
			}
		}
		for _, line := range lines {
			var e gateway.SourceEndpoint
			if _, err := fmt.Sscan(line, &e.Address, &e.Weight); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			for _, word := range strings.Fields(line)[2:] {
				switch name, value, _ := strings.Cut(word, "="); name {
				case "prio":
					if _, err := fmt.Sscan(value, &e.Priority); err != nil {
						t.Fatal(err)
					}
				case "zone":
					e.Zone = value
				case "terminating":
					e.Terminating = true
				default:
					t.Fatalf("what is %q?", word)
				}
			}
			s.Endpoints = append(s.Endpoints, e)
			if place == "manual" {
				u.Spec.Endpoints = append(u.Spec.Endpoints, gateway.ManualEndpoint{Address: e.Address})
			}
		}
		sets = append(sets, s)
	}
	s := gateway.Build(gateway.Inputs{Tenants: []*gateway.Tenant{tenant(1, "acme")}, Upstreams: []*gateway.Upstream{u}, Sets: sets, Verdicts: verdicts}, 1)
	var problems []string
	for _, p := range s.Problems {
		problems = append(problems, p.Field+" "+p.Code)
	}
	return s.Upstreams[0], problems
}

// lines reads endpoints as mixed writes them.
func lines(u *gateway.EffectiveUpstream) []string {
	var out []string
	for _, e := range u.Endpoints {
		line := fmt.Sprint(e.Address, " ", e.Weight)
		if e.OwnWeight != 0 {
			line += fmt.Sprintf("(%d)", e.OwnWeight)
		}
		if e.Priority != 0 {
			line += fmt.Sprint(" prio=", e.Priority)
		}
		if e.Zone != "" {
			line += " zone=" + e.Zone
		}
		out = append(out, fmt.Sprint(line, " ", e.Sources, " ", e.Place))
	}
	return out
}

// Who decides about an address, and in which group its endpoints are.
func TestMixingOfPlaces(t *testing.T) {
	const k, kv = "default/shop/api:http", "default:/api/"
	named := map[string][]string{ // one address in all four
		"kubernetes": {"10.0.0.1:80 1 zone=k"}, "etcd": {"10.0.0.1:80 2 zone=e"},
		"dns": {"10.0.0.1:80 3 zone=d"}, "manual": {"10.0.0.1:80 4 zone=m"},
	}
	for _, c := range []struct {
		name     string
		discover []gateway.Discover
		by       map[string][]string
		want     []string
		problems []string
	}{
		{name: "nothing declared", discover: []gateway.Discover{fromDNS, fromKube, fromEtcd}, by: named,
			want: []string{"10.0.0.1:80 4 zone=m [manual etcd kubernetes dns] "}},
		{name: "the default precedences, declared", discover: []gateway.Discover{entry(fromKube, "20", "", ""), entry(byHand, "40", "", ""), entry(fromDNS, "10", "", ""), entry(fromEtcd, "30", "", "")}, by: named,
			want: []string{"10.0.0.1:80 4 zone=m [manual etcd kubernetes dns] "}},
		{name: "kubernetes over everything", discover: []gateway.Discover{fromDNS, entry(fromKube, "41", "", ""), fromEtcd}, by: named,
			want: []string{"10.0.0.1:80 1 zone=k [kubernetes manual etcd dns] " + k}},
		{name: "by hand last", discover: []gateway.Discover{fromDNS, fromKube, fromEtcd, entry(byHand, "0", "", "")}, by: named,
			want: []string{"10.0.0.1:80 2 zone=e [etcd kubernetes dns manual] " + kv}},
		{name: "of equal ones, the kind decides", discover: []gateway.Discover{entry(fromKube, "7", "", ""), entry(fromEtcd, "7", "", ""), entry(byHand, "7", "", "")}, by: named,
			want: []string{"10.0.0.1:80 4 zone=m [manual etcd kubernetes] "}},
		{name: "a place that is not named counts for nothing", discover: []gateway.Discover{entry(byHand, "1", "", "")}, by: named,
			want: []string{"10.0.0.1:80 4 zone=m [manual] "}},
		{name: "a precedence that can't be", discover: []gateway.Discover{entry(fromKube, "1001", "", ""), entry(fromEtcd, "-1", "", "")},
			by:   map[string][]string{"kubernetes": {"10.0.0.1:80 1"}, "etcd": {"10.0.0.1:80 2"}},
			want: []string{"10.0.0.1:80 2 [etcd kubernetes] " + kv}, problems: []string{"spec.discover[0].precedence precedence_invalid", "spec.discover[1].precedence precedence_invalid"}},
		{name: "a group for a place", discover: []gateway.Discover{entry(fromEtcd, "", "", "2"), entry(byHand, "", "", "0")},
			by:   map[string][]string{"etcd": {"10.0.0.1:80 1 prio=7", "10.0.0.2:80 1"}, "manual": {"10.0.0.3:80 1 prio=5"}},
			want: []string{"10.0.0.1:80 1 prio=2 [etcd] " + kv, "10.0.0.2:80 1 prio=2 [etcd] " + kv, "10.0.0.3:80 1 [manual] "}},
		{name: "a group that can't be", discover: []gateway.Discover{entry(fromEtcd, "", "", "-1")}, by: map[string][]string{"etcd": {"10.0.0.1:80 1 prio=7"}},
			want: []string{"10.0.0.1:80 1 prio=7 [etcd] " + kv}, problems: []string{"spec.discover[0].priority priority_invalid"}},
		{name: "a place twice", discover: []gateway.Discover{entry(fromEtcd, "", "", "1"), fromEtcd, fromKube, fromKube}, by: map[string][]string{"etcd": {"10.0.0.1:80 1"}},
			want: []string{"10.0.0.1:80 1 prio=1 [etcd] " + kv}, problems: []string{"spec.discover[1] place_twice"}},
		{name: "two places in one entry", discover: []gateway.Discover{{Etcd: fromEtcd.Etcd, Manual: byHand.Manual}}, by: named,
			want: []string{"10.0.0.1:80 4 zone=m [manual] "}, problems: []string{"spec.discover[0] discover_invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, problems := mixed(t, c.discover, c.by)
			if diff := gocmp.Diff(c.want, lines(u)) + gocmp.Diff(c.problems, problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What each endpoint gets of the share of its place.
func TestSharesOfPlaces(t *testing.T) {
	const k, kv = "default/shop/api:http", "default:/api/"
	eighty, twenty := entry(fromKube, "", "80", ""), entry(byHand, "", "20", "")
	three := []string{"10.0.1.1:80 1", "10.0.1.2:80 1", "10.0.1.3:80 1"}
	for _, c := range []struct {
		name     string
		discover []gateway.Discover
		by       map[string][]string
		verdicts []gateway.Verdict
		want     []string
		problems []string
	}{
		{name: "80 and 20, however many each has", discover: []gateway.Discover{eighty, twenty}, by: map[string][]string{"kubernetes": three, "manual": {"10.0.2.1:80 1", "10.0.2.2:80 1"}},
			want: []string{"10.0.1.1:80 8(1) [kubernetes] " + k, "10.0.1.2:80 8(1) [kubernetes] " + k, "10.0.1.3:80 8(1) [kubernetes] " + k, "10.0.2.1:80 3(1) [manual] ", "10.0.2.2:80 3(1) [manual] "}},
		{name: "endpoints divide by their own weights", discover: []gateway.Discover{eighty, twenty}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 3", "10.0.1.2:80 1"}, "manual": {"10.0.2.1:80 500"}},
			want: []string{"10.0.1.1:80 3 [kubernetes] " + k, "10.0.1.2:80 1 [kubernetes] " + k, "10.0.2.1:80 1(500) [manual] "}},
		{name: "one place has nobody", discover: []gateway.Discover{eighty, twenty}, by: map[string][]string{"kubernetes": {}, "manual": {"10.0.2.1:80 2", "10.0.2.2:80 4"}},
			want: []string{"10.0.2.1:80 2 [manual] ", "10.0.2.2:80 4 [manual] "}},
		{name: "no more for a place", discover: []gateway.Discover{eighty, entry(byHand, "", "0", "")}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 5"}, "manual": {"10.0.2.1:80 3"}},
			want: []string{"10.0.1.1:80 5 [kubernetes] " + k, "10.0.2.1:80 0(3) [manual] "}},
		{name: "who gets nothing new leaves its part to others of its place", discover: []gateway.Discover{eighty, twenty},
			by:   map[string][]string{"kubernetes": {"10.0.1.1:80 1", "10.0.1.2:80 0", "10.0.1.3:80 2 terminating"}, "manual": {"10.0.2.1:80 1"}},
			want: []string{"10.0.1.1:80 4(1) [kubernetes] " + k, "10.0.1.2:80 0 [kubernetes] " + k, "10.0.1.3:80 8(2) [kubernetes] " + k, "10.0.2.1:80 1 [manual] "}},
		{name: "a verdict changes no weight", discover: []gateway.Discover{eighty, twenty}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 1", "10.0.1.2:80 1"}, "manual": {"10.0.2.1:80 1"}},
			verdicts: []gateway.Verdict{{EndpointKey: gateway.EndpointKey{Upstream: upstream("acme", "api").Key(), Address: "10.0.1.1:80"}, State: gateway.StateDown}},
			want:     []string{"10.0.1.1:80 2(1) [kubernetes] " + k, "10.0.1.2:80 2(1) [kubernetes] " + k, "10.0.2.1:80 1 [manual] "}},
		{name: "an address of two places has the share of the stronger one", discover: []gateway.Discover{eighty, twenty}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 1", "10.0.2.1:80 9"}, "manual": {"10.0.2.1:80 1"}},
			want: []string{"10.0.1.1:80 4(1) [kubernetes] " + k, "10.0.2.1:80 1 [manual kubernetes] "}},
		{name: "each group for itself", discover: []gateway.Discover{eighty, entry(byHand, "", "20", "1"), entry(fromEtcd, "", "60", "")},
			by: map[string][]string{"kubernetes": {"10.0.1.1:80 5", "10.0.1.2:80 5 prio=1"}, "manual": {"10.0.2.1:80 1"}, "etcd": {"10.0.3.1:80 1", "10.0.3.2:80 1"}},
			want: []string{"10.0.1.1:80 8(5) [kubernetes] " + k, "10.0.1.2:80 4(5) prio=1 [kubernetes] " + k, "10.0.2.1:80 1 prio=1 [manual] ",
				"10.0.3.1:80 3(1) [etcd] " + kv, "10.0.3.2:80 3(1) [etcd] " + kv}},
		{name: "a place without a weight", discover: []gateway.Discover{eighty, fromEtcd}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 2"}, "etcd": {"10.0.3.1:80 3"}},
			want: []string{"10.0.1.1:80 2 [kubernetes] " + k, "10.0.3.1:80 3 [etcd] " + kv}, problems: []string{"spec.discover[1].weight weight_missing"}},
		{name: "endpoints by hand without a weight", discover: []gateway.Discover{eighty}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 2"}, "manual": {"10.0.2.1:80 3"}},
			want: []string{"10.0.1.1:80 2 [kubernetes] " + k, "10.0.2.1:80 3 [manual] "}, problems: []string{"spec.discover weight_missing"}},
		{name: "no endpoints by hand", discover: []gateway.Discover{eighty, entry(fromEtcd, "", "20", "")}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 2"}, "etcd": {"10.0.3.1:80 3"}},
			want: []string{"10.0.1.1:80 4(2) [kubernetes] " + k, "10.0.3.1:80 1(3) [etcd] " + kv}},
		{name: "a weight that can't be", discover: []gateway.Discover{eighty, entry(byHand, "", "1001", ""), entry(fromEtcd, "", "-1", "")}, by: map[string][]string{"kubernetes": {"10.0.1.1:80 2"}, "manual": {"10.0.2.1:80 3"}},
			want: []string{"10.0.1.1:80 2 [kubernetes] " + k, "10.0.2.1:80 3 [manual] "}, problems: []string{"spec.discover[1].weight weight_invalid", "spec.discover[2].weight weight_invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u, problems := mixed(t, c.discover, c.by, c.verdicts...)
			if diff := gocmp.Diff(c.want, lines(u)) + gocmp.Diff(c.problems, problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever the numbers are, each place has its share within a hundredth of it, endpoints that
// weigh the same on their own still do, nobody who should get requests gets none, and the order
// of arrival decides nothing.
func TestSharesOfAnyNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for round := range 300 {
		some := func(net int, most int) (out []string) {
			for i := range 1 + r.IntN(most) {
				out = append(out, fmt.Sprintf("10.%d.%d.%d:80 %d", net, i/250, i%250, []int{1, 1, 1, 5, 1 + r.IntN(1000)}[r.IntN(5)]))
			}
			return out
		}
		weights := []int{1 + r.IntN(1000), 1 + r.IntN(100), 1 + r.IntN(10)}
		discover := []gateway.Discover{entry(fromKube, "", fmt.Sprint(weights[0]), ""), entry(fromEtcd, "", fmt.Sprint(weights[1]), ""), entry(byHand, "", fmt.Sprint(weights[2]), "")}
		by := map[string][]string{"kubernetes": some(1, 300), "etcd": some(2, 40), "manual": some(3, 4)}
		u, problems := mixed(t, discover, by)
		got, all, alike := map[string]int{}, 0, map[string]int{}
		for _, e := range u.Endpoints {
			if e.Weight < 1 {
				t.Fatalf("round %d: %+v", round, e)
			}
			own := e.OwnWeight
			if own == 0 {
				own = e.Weight
			}
			same := fmt.Sprint(e.Sources[0], own)
			if w, ok := alike[same]; ok && w != e.Weight {
				t.Fatalf("round %d: %s has weight %d and %d", round, same, w, e.Weight)
			}
			alike[same] = e.Weight
			got[string(e.Sources[0])] += e.Weight
			all += e.Weight
		}
		whole := weights[0] + weights[1] + weights[2]
		for i, place := range []string{"kubernetes", "etcd", "manual"} {
			due := float64(weights[i]) / float64(whole)
			if share := float64(got[place]) / float64(all); share < due*0.99 || share > due*1.01 {
				t.Errorf("round %d: %s has %.5f of the requests, declared are %.5f (%d endpoints, total %d)", round, place, share, due, len(by[place]), all)
			}
		}
		for _, list := range by {
			shuffle(r, list)
		}
		if again, _ := mixed(t, discover, by); !slices.EqualFunc(u.Endpoints, again.Endpoints, func(a, b gateway.Endpoint) bool { return a.Address == b.Address && a.Weight == b.Weight }) || problems != nil {
			t.Fatalf("round %d: another order gives other weights, or %v", round, problems)
		}
	}
}

// The effective places say what is in force, defaults included.
func TestEffectiveTraits(t *testing.T) {
	u, _ := mixed(t, []gateway.Discover{fromDNS, fromKube, entry(fromEtcd, "5", "3", "2"), entry(byHand, "9999", "1001", "-1")}, nil)
	want := []gateway.Discover{entry(fromDNS, "10", "", ""), entry(fromKube, "20", "", ""), entry(fromEtcd, "5", "3", "2"), entry(byHand, "40", "", "")}
	if diff := gocmp.Diff(want, u.Discover); diff != "" {
		t.Error(diff)
	}
}
