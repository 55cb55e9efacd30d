package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// Bundles come one after the other; each row is what a node says to one, and where it stands then.
func TestFloor(t *testing.T) {
	s := func(number, previous uint64, rollback bool) protocol.Statement {
		return protocol.Statement{Fleet: "shared", Facts: "f", Digest: string('a' + rune(number)), Numbering: protocol.Numbering{Number: number, Previous: previous, Rollback: rollback}}
	}
	other := s(7, 6, false)
	other.Digest = "other"
	foreign := s(9, 8, false)
	foreign.Fleet = "private"
	elsewhere := s(9, 8, false)
	elsewhere.Facts = "g"
	now := floor{Enrolment: "1"}
	for _, row := range []struct {
		name   string
		s      protocol.Statement
		refuse string
		number uint64
	}{
		{"the first", s(3, 2, false), "", 3},
		{"the same again, after a failure", s(3, 2, false), "", 3},
		{"one of another fleet", foreign, `bundle of fleet "private"`, 3},
		{"one for another nginx", elsewhere, "another nginx", 3},
		{"a later one", s(7, 6, false), "", 7},
		{"the first, replayed", s(3, 2, false), "its number is 3, this node has applied number 7", 7},
		{"another with the same number", other, "two bundles have the same number", 7},
		{"a rollback of something older", s(3, 6, true), "an old rollback was sent again", 7},
		{"a rollback", s(3, 7, true), "", 7},
		{"the same rollback again", s(3, 7, true), "", 7},
		{"what was taken back, replayed", s(7, 6, false), "was taken back by a rollback", 7},
		{"what comes after a rollback", s(8, 7, false), "", 8},
		{"the rollback, replayed", s(3, 7, true), "an old rollback was sent again", 8},
		{"a rollback of what never was here", s(8, 12, true), "", 12},
		{"what is not in line with it", s(12, 11, false), "was taken back", 12},
		{"what is", s(13, 12, false), "", 13},
	} {
		next, err := now.judge(row.s, "shared", "f")
		if (row.refuse == "") != (err == nil) || err != nil && (!errors.Is(err, errRefused) || !strings.Contains(err.Error(), row.refuse)) {
			t.Errorf("%s: %v", row.name, err)
		}
		if next.Number != row.number || next.Enrolment != "1" || err != nil && next != now {
			t.Errorf("%s: the floor is %+v, was %+v", row.name, next, now)
		}
		now = next
	}
}
