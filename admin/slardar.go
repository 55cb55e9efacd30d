package admin

import (
	"context"
	"net/http"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/admin/slardar"
	"github.com/sluice-gateway/sluice/gateway"
)

// slardar serves Slardar's contract on the same reads, writes and errors as the API.
func (s *server) slardar() http.Handler {
	return slardar.New(slardar.Config{
		Parts: *s.Slardar,
		Get:   s.Store.Get,
		List:  s.Store.List,
		Write: func(ctx context.Context, changes []gateway.Change, dryRun bool, accept func([]gateway.Problem) error) error {
			_, err := s.writeIf(ctx, changes, dryRun, func(e api.Effect) error { return accept(e.ProblemsAdded) })
			return err
		},
		Snapshot: s.Control.Snapshot,
		Explain: func(err error) (int, string) {
			d := documentOf(err)
			return d.Status, d.Detail
		},
		Caller: func(ctx context.Context) string {
			who, _ := auth.From(ctx)
			return who.Name
		},
		Version:   s.Version,
		StartedAt: s.StartedAt,
		Log:       s.Log,
	})
}
