package admin_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// enrolled is what decides who is a node, with one token and one node.
type enrolled struct{ said *[]string }

func (e enrolled) note(format string, args ...any) {
	*e.said = append(*e.said, fmt.Sprintf(format, args...))
}

func (e enrolled) NewToken(_ context.Context, in api.NewEnrolmentToken, by string) (api.IssuedToken, error) {
	node, expires := "any", gateway.Duration(time.Hour)
	if in.Node != nil {
		node = *in.Node
	}
	if in.Expires != nil {
		expires = *in.Expires
	}
	e.note("token for %s of %s for %s by %s", node, in.Fleet, expires, by)
	return api.IssuedToken{Token: "sluice-enrol.x.y", Agents: "[::]:9443", Info: api.EnrolmentToken{Id: "0123456789ab", Fleet: in.Fleet, CreatedBy: by}}, nil
}

func (e enrolled) Tokens(context.Context) ([]api.EnrolmentToken, error) {
	node := "n1"
	return []api.EnrolmentToken{{Id: "0123456789ab", Fleet: "shared", CreatedBy: "admin", UsedBy: &node}}, nil
}

func (e enrolled) RemoveToken(_ context.Context, id, by string) error {
	if id != "0123456789ab" {
		return fmt.Errorf("token %q: %w", id, gateway.ErrNotFound)
	}
	e.note("removed %s by %s", id, by)
	return nil
}

func (e enrolled) Revoke(_ context.Context, fleet, node string) error {
	if node != "n1" {
		return fmt.Errorf("node %q: %w", node, gateway.ErrNotFound)
	}
	e.note("revoked %s of %s", node, fleet)
	return nil
}

func (e enrolled) Forget(_ context.Context, fleet, node string) error {
	if node != "n1" {
		return fmt.Errorf("node %q: %w", node, gateway.ErrNotFound)
	}
	e.note("forgot %s of %s", node, fleet)
	return nil
}

func TestEnrolment(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []scenario{
		{name: "a token", what: "POST /api/v1/enrolment-tokens", body: `{"fleet":"shared","node":"n1","expires":"5m"}`, status: 200, has: []string{`"token":"sluice-enrol.x.y"`, `"id":"0123456789ab"`}},
		{name: "for any node", what: "POST /api/v1/enrolment-tokens", body: `{"fleet":"shared"}`, status: 200},
		{name: "for no fleet", what: "POST /api/v1/enrolment-tokens", body: `{}`, status: 400, has: []string{"fleet"}},
		{name: "by nobody", who: "nobody", what: "POST /api/v1/enrolment-tokens", body: `{"fleet":"shared"}`, status: 401},
		{name: "list", what: "GET /api/v1/enrolment-tokens", status: 200, has: []string{`"usedBy":"n1"`}, hasNot: []string{"sluice-enrol"}},
		{name: "remove", what: "DELETE /api/v1/enrolment-tokens/0123456789ab", status: 204},
		{name: "remove another", what: "DELETE /api/v1/enrolment-tokens/x", status: 404, has: []string{`"code":"not_found"`}},
		{name: "revoke", what: "POST /api/v1/fleets/shared/nodes/n1/revoke", status: 204},
		{name: "revoke nobody", what: "POST /api/v1/fleets/shared/nodes/n2/revoke", status: 404},
		{name: "forget", what: "DELETE /api/v1/fleets/shared/nodes/n1", status: 204},
		{name: "forget by a stranger", who: "stranger", what: "DELETE /api/v1/fleets/shared/nodes/n1", status: 401},
		{name: "forget nobody", what: "DELETE /api/v1/fleets/shared/nodes/n2", status: 404},
	} {
		c.run(t, w)
	}
	want := "[token for n1 of shared for 5m by admin token for any of shared for 1h by admin removed 0123456789ab by admin revoked n1 of shared forgot n1 of shared]"
	if got := fmt.Sprint(w.enrolment); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
