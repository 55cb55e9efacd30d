package admin

import (
	"context"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
)

// Enrolment decides who is a node of a fleet. Its errors wrap those of gateway.
type Enrolment interface {
	// NewToken makes a token that by has asked for.
	NewToken(ctx context.Context, in api.NewEnrolmentToken, by string) (api.IssuedToken, error)
	// Tokens lists them, the newest first.
	Tokens(ctx context.Context) ([]api.EnrolmentToken, error)
	RemoveToken(ctx context.Context, id, by string) error
	// Revoke refuses a node's certificates from its return on. Forget also drops what is known
	// of the node.
	Revoke(ctx context.Context, fleet, node string) error
	Forget(ctx context.Context, fleet, node string) error
}

// NewEnrolmentToken makes a one-time token.
func (s *server) NewEnrolmentToken(ctx context.Context, r api.NewEnrolmentTokenRequestObject) (api.NewEnrolmentTokenResponseObject, error) {
	who, _ := auth.From(ctx)
	out, err := s.Enrolment.NewToken(ctx, *r.Body, who.Name)
	return api.NewEnrolmentToken200JSONResponse(out), err
}

// ListEnrolmentTokens lists one-time tokens.
func (s *server) ListEnrolmentTokens(ctx context.Context, _ api.ListEnrolmentTokensRequestObject) (api.ListEnrolmentTokensResponseObject, error) {
	list, err := s.Enrolment.Tokens(ctx)
	return api.ListEnrolmentTokens200JSONResponse{Items: full(list)}, err
}

// DeleteEnrolmentToken makes a one-time token useless.
func (s *server) DeleteEnrolmentToken(ctx context.Context, r api.DeleteEnrolmentTokenRequestObject) (api.DeleteEnrolmentTokenResponseObject, error) {
	who, _ := auth.From(ctx)
	return api.DeleteEnrolmentToken204Response{}, s.Enrolment.RemoveToken(ctx, r.Id, who.Name)
}

// RevokeNode refuses a node's certificates.
func (s *server) RevokeNode(ctx context.Context, r api.RevokeNodeRequestObject) (api.RevokeNodeResponseObject, error) {
	err := s.Enrolment.Revoke(ctx, r.Fleet, r.Node)
	s.noteNode(ctx, "a node was revoked", r.Fleet, r.Node, err)
	return api.RevokeNode204Response{}, err
}

// ForgetNode refuses a node's certificates and drops the node.
func (s *server) ForgetNode(ctx context.Context, r api.ForgetNodeRequestObject) (api.ForgetNodeResponseObject, error) {
	err := s.Enrolment.Forget(ctx, r.Fleet, r.Node)
	s.noteNode(ctx, "a node was forgotten", r.Fleet, r.Node, err)
	return api.ForgetNode204Response{}, err
}

func (s *server) noteNode(ctx context.Context, what, fleet, node string, err error) {
	if who, _ := auth.From(ctx); err == nil {
		s.Log.Info(what, "fleet", fleet, "node", node, "by", who.Name)
	}
}
