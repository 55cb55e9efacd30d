package configsync

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// A tenant that moves to another fleet is served by the old one until all nodes of the new one
// run it, whether these get it at once or by waves.
func TestMove(t *testing.T) {
	for _, waves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := startPlane(newShelf(), "p")
			defer p.stop()
			synctest.Wait()
			snapshot := func(fleets ...string) *gateway.Snapshot {
				s := testSnapshot([]string{"dedicated", "shared"}, "10.0.0.1:80", "")
				s.Tenants[0].Spec.Fleets = fleets
				if waves {
					s.Fleets[0].Spec = gateway.FleetSpec{Waves: []gateway.Wave{{Count: 1}, {Percent: 100}}}
				}
				return s
			}
			obey := func(fleet, node string) { p.obeys(t, fleet, node) }
			serves := func(fleet, node string) bool {
				t.Helper()
				tree, err := p.DesiredTree(fleet, node)
				if err != nil {
					t.Fatal(err)
				}
				return tree.File("servers/acme.shop.test.conf") != nil
			}
			p.Apply(snapshot("shared"))
			for range 3 {
				obey("shared", "a")
				obey("dedicated", "b")
				obey("dedicated", "c")
				time.Sleep(time.Second)
			}
			p.Apply(snapshot("dedicated"))
			time.Sleep(3 * time.Second)
			obey("shared", "a")
			obey("dedicated", "b")
			if !serves("shared", "a") || !serves("dedicated", "b") || serves("dedicated", "c") != !waves {
				t.Errorf("on the way: the old fleet %v, the new one %v and %v", serves("shared", "a"), serves("dedicated", "b"), serves("dedicated", "c"))
			}
			if list := p.Problems(); len(list) != 1 || list[0].Code != "tenant_moving" || !strings.Contains(list[0].Message, "until all nodes of dedicated do") {
				t.Errorf("on the way: %+v", list)
			}
			for range 90 {
				time.Sleep(time.Second)
				obey("dedicated", "b")
				obey("dedicated", "c")
			}
			if serves("shared", "a") || !serves("dedicated", "b") || !serves("dedicated", "c") {
				t.Errorf("in the end: the old fleet %v, the new one %v and %v", serves("shared", "a"), serves("dedicated", "b"), serves("dedicated", "c"))
			}
			if list := p.Problems(); len(list) != 0 {
				t.Errorf("in the end: %+v", list)
			}
		})
	}
}

// One that is deleted, or mirrored nowhere any more, leaves at once; one that comes back stays.
func TestNoMove(t *testing.T) {
	snapshot := func(fleets ...string) *gateway.Snapshot {
		s := testSnapshot([]string{"shared"}, "10.0.0.1:80", "")
		s.Tenants[0].Spec.Fleets = fleets
		return s
	}
	m := moves{}
	m.note(nil, snapshot("shared"))
	m.note(snapshot("shared"), snapshot())
	m.note(snapshot("shared"), &gateway.Snapshot{})
	if len(m) != 0 {
		t.Errorf("%v", m)
	}
	m.note(snapshot("shared"), snapshot("other"))
	if !m["shared"]["acme"] {
		t.Errorf("%v", m)
	}
	m.note(snapshot("other"), snapshot("shared", "other"))
	if len(m) != 0 {
		t.Errorf("%v", m)
	}
}
