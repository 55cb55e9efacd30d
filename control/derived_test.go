package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/control"
	"github.com/sluice-gateway/sluice/gateway"
)

// made is a route of tenant t that a source has made, for a path.
func made(name, path string) *gateway.Route {
	return &gateway.Route{Meta: gateway.Meta{Kind: gateway.KindRoute, Tenant: "t", Name: name}, Spec: gateway.RouteSpec{
		Hosts: []string{"h.example"}, Match: []gateway.Match{{Path: gateway.PathMatch{Prefix: path}}}, To: []gateway.RouteTarget{{Upstream: "u"}}}}
}

func paths(s *gateway.Snapshot) string {
	var out []string
	for _, r := range s.Host("h.example").Rules {
		out = append(out, r.Path.Prefix+"="+r.Route.Name)
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

func codes(l *control.Loop) string {
	var out []string
	for _, p := range l.DerivedProblems() {
		out = append(out, p.Source+" "+p.Object.Name)
	}
	return fmt.Sprint(out)
}

// inForce are the derived objects that count.
func inForce(l *control.Loop) string {
	var out []string
	for _, o := range l.DerivedObjects() {
		ref := o.Head().Ref()
		if l.Derived(ref) != o {
			out = append(out, "another")
		}
		out = append(out, ref.String()+" from "+o.Head().DerivedFrom.Source)
	}
	return fmt.Sprint(out)
}

// Derived objects join those of the store; the store's own are stronger in every way.
func TestDerived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		check := func(what, rules, problems string) {
			t.Helper()
			time.Sleep(time.Second)
			if got := paths(l.Snapshot()); got != rules {
				t.Errorf("%s: rules %s, want %s", what, got, rules)
			}
			if got := codes(l); got != problems {
				t.Errorf("%s: problems %s, want %s", what, got, problems)
			}
		}
		l.SetDerived("k8s/b", []gateway.Object{made("a", "/a"), made("r", "/other")})
		time.Sleep(time.Second)
		if g := l.Snapshot().Generation; g != 0 {
			t.Fatalf("generation %d before the store has spoken", g)
		}
		l.SetObjects(objects()) // has a route r for "/"
		check("at start", "[/=r /a=a]", "[k8s/b r]")

		l.SetDerived("k8s/b", []gateway.Object{made("a", "/b"), made("x", "/")})
		check("an object changes, and one wants a path of the store", "[/=r /b=a]", "[]")
		if p := l.Snapshot().Problems; len(p) != 1 || p[0].Object.Name != "x" || p[0].Code != "path_taken" {
			t.Errorf("problems %+v", p)
		}

		l.SetDerived("k8s/a", []gateway.Object{made("a", "/first")})
		check("two sources make an object", "[/=r /first=a]", "[k8s/b a]")
		if got := inForce(l); got != "[Route t/a from k8s/a Route t/x from k8s/b]" {
			t.Errorf("derived are %s", got)
		}
		l.SetDerived("k8s/a", nil)
		check("the first one lets go", "[/=r /b=a]", "[]")

		a := made("a", "/stored")
		l.Change([]gateway.Change{{Ref: a.Ref(), Object: a}})
		check("it is stored", "[/=r /stored=a]", "[k8s/b a]")
		if got := inForce(l); got != "[Route t/x from k8s/b]" {
			t.Errorf("derived are %s", got)
		}
		if o := l.Derived(a.Ref()); o != nil {
			t.Errorf("%v is derived and not in force", o)
		}
		l.SetDerived("k8s/b", []gateway.Object{made("a", "/c")})
		check("it is derived anew, and stored still", "[/=r /stored=a]", "[k8s/b a]")
		dry, err := l.DryRun(context.Background(), []gateway.Change{{Ref: a.Ref()}})
		if err != nil || paths(dry) != "[/=r /c=a]" {
			t.Errorf("dry run of deleting the stored one: %s, %v", paths(dry), err)
		}
		l.Change([]gateway.Change{{Ref: a.Ref()}})
		check("the stored one is deleted", "[/=r /c=a]", "[]")

		l.SetObjects(objects())
		check("resync", "[/=r /c=a]", "[]")
		before := l.Snapshot().Generation
		l.SetDerived("k8s/b", []gateway.Object{made("a", "/c")})
		check("the same again", "[/=r /c=a]", "[]")
		if g := l.Snapshot().Generation; g != before {
			t.Errorf("equal objects made generation %d after %d", g, before)
		}
		l.SetDerived("k8s/b", nil)
		check("all gone", "[/=r]", "[]")
	})
}

// What a local copy holds of sources is in force until they speak, also beside a store that is
// there, and until the source is configured no more.
func TestDerivedFromACopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := start(t)
		given := []gateway.Object{made("a", "/a")}
		before.SetDerived("k8s/b", given)
		var copied []gateway.Object // through JSON, as on disk
		for _, o := range append(objects(), given...) {
			text, err := gateway.MarshalClear(o)
			if err != nil {
				t.Fatal(err)
			}
			back, err := gateway.NewObject(o.Head().Kind)
			if err == nil {
				err = json.Unmarshal(text, back)
			}
			if err != nil {
				t.Fatal(err)
			}
			copied = append(copied, back)
		}
		if d := control.DerivedOf(copied); len(d) != 1 || d[0].Head().Name != "a" {
			t.Fatalf("derived %v", d)
		}
		l := start(t)
		check := func(what, want string) {
			t.Helper()
			time.Sleep(time.Second)
			if got := paths(l.Snapshot()); got != want {
				t.Errorf("%s: rules %s, want %s", what, got, want)
			}
		}
		if stored := l.RestoreDerived(copied); len(stored) != 3 {
			t.Errorf("stored %v", stored)
		}
		l.SetObjects(objects())
		check("restored", "[/=r /a=a]")
		l.KeepDerived([]string{"k8s/b"})
		check("its source is configured", "[/=r /a=a]")
		l.SetDerived("k8s/b", []gateway.Object{made("a", "/b")})
		check("its source speaks", "[/=r /b=a]")
		l.RestoreDerived(control.DerivedOf(copied))
		check("a copy after the source has spoken", "[/=r /b=a]")
		l.KeepDerived(nil)
		check("its source is configured no more", "[/=r]")
	})
}

// Of objects that were derived, those of the source whose name sorts first are stronger,
// whatever their own names are.
func TestDerivedOfSeveralSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		l.SetDerived("names", []gateway.Object{made("a", "/x")})
		l.SetDerived("k8s/a", []gateway.Object{made("z", "/x")})
		l.SetObjects(objects())
		time.Sleep(time.Second)
		if got := paths(l.Snapshot()); got != "[/=r /x=z]" {
			t.Errorf("rules %s", got)
		}
		if p := l.Snapshot().Problems; len(p) != 1 || p[0].Object.Name != "a" || p[0].Code != "path_taken" {
			t.Errorf("problems %+v", p)
		}
	})
}
