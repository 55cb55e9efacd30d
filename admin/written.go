package admin

import (
	"encoding/json"
	"net/http"

	"github.com/sluice-gateway/sluice/admin/api"
)

// written is the answer of every write. The generated code has one response type for each
// operation; this one stands for all of them.
type written struct {
	result api.WriteResult
	etag   string
}

func (w written) send(rw http.ResponseWriter) error {
	rw.Header().Set("Content-Type", "application/json")
	if w.etag != "" {
		rw.Header().Set("ETag", w.etag)
	}
	return json.NewEncoder(rw).Encode(w.result)
}

// VisitApplyResponse answers the operation.
func (w written) VisitApplyResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutTenantResponse answers the operation.
func (w written) VisitPutTenantResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteTenantResponse answers the operation.
func (w written) VisitDeleteTenantResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutPolicyResponse answers the operation.
func (w written) VisitPutPolicyResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeletePolicyResponse answers the operation.
func (w written) VisitDeletePolicyResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutCertificateResponse answers the operation.
func (w written) VisitPutCertificateResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteCertificateResponse answers the operation.
func (w written) VisitDeleteCertificateResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutFleetResponse answers the operation.
func (w written) VisitPutFleetResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteFleetResponse answers the operation.
func (w written) VisitDeleteFleetResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutUpstreamResponse answers the operation.
func (w written) VisitPutUpstreamResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteUpstreamResponse answers the operation.
func (w written) VisitDeleteUpstreamResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutRouteResponse answers the operation.
func (w written) VisitPutRouteResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteRouteResponse answers the operation.
func (w written) VisitDeleteRouteResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutOverrideResponse answers the operation.
func (w written) VisitPutOverrideResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteOverrideResponse answers the operation.
func (w written) VisitDeleteOverrideResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitAddEndpointResponse answers the operation.
func (w written) VisitAddEndpointResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitSyncEndpointsResponse answers the operation.
func (w written) VisitSyncEndpointsResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitRemoveEndpointResponse answers the operation.
func (w written) VisitRemoveEndpointResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPinEndpointResponse answers the operation.
func (w written) VisitPinEndpointResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitUnpinEndpointResponse answers the operation.
func (w written) VisitUnpinEndpointResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteAllowanceResponse answers the operation.
func (w written) VisitDeleteAllowanceResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutStreamResponse answers the operation.
func (w written) VisitPutStreamResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeleteStreamResponse answers the operation.
func (w written) VisitDeleteStreamResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitPutPinResponse answers the operation.
func (w written) VisitPutPinResponse(rw http.ResponseWriter) error { return w.send(rw) }

// VisitDeletePinResponse answers the operation.
func (w written) VisitDeletePinResponse(rw http.ResponseWriter) error { return w.send(rw) }
