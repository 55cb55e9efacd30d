package admin

import (
	"context"
	"errors"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// Alerts tells people what is wrong.
type Alerts interface {
	// Active are the conditions that hold, the worst first.
	Active() []gateway.Alert
	// Receivers are in the order of the configuration.
	Receivers() []gateway.AlertReceiver
	// Test sends a sample in the name of who. Of a receiver that is not configured the error
	// wraps gateway.ErrNotFound; any other says why the sample did not get there.
	Test(ctx context.Context, receiver, who string) error
}

// ListAlerts lists what is wrong now.
func (s *server) ListAlerts(_ context.Context, r api.ListAlertsRequestObject) (api.ListAlertsResponseObject, error) {
	out := api.ListAlerts200JSONResponse{Items: []gateway.Alert{}, Receivers: []gateway.AlertReceiver{}}
	tenant := deref(r.Params.Tenant)
	for _, a := range s.Alerts.Active() {
		if tenant == "" || a.Tenant == tenant {
			out.Items = append(out.Items, a)
		}
	}
	if tenant == "" {
		out.Receivers = full(s.Alerts.Receivers())
	}
	return out, nil
}

// TestAlertReceiver sends a sample.
func (s *server) TestAlertReceiver(ctx context.Context, r api.TestAlertReceiverRequestObject) (api.TestAlertReceiverResponseObject, error) {
	who, _ := auth.From(ctx)
	switch err := s.Alerts.Test(ctx, r.Receiver, who.Name); {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, err
	case err != nil:
		return api.TestAlertReceiver200JSONResponse{Error: err.Error()}, nil
	}
	return api.TestAlertReceiver200JSONResponse{Sent: true}, nil
}
