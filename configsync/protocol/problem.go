package protocol

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sluice-gateway/sluice/gateway"
)

// Why a node is turned away, besides the conditions of gateway.
var (
	// ErrUnauthorized: without a certificate or token that counts.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrForbidden: who the node is is known, and it may not do this.
	ErrForbidden = errors.New("forbidden")
)

// Problem is an RFC 9457 problem document.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"` // invalid, unauthorized, forbidden, not_found, conflict, unavailable, internal
	Detail string `json:"detail"`
}

// problems maps errors to documents; the first that fits counts.
var problems = []struct {
	err    error
	status int
	code   string
}{
	{ErrUnauthorized, http.StatusUnauthorized, "unauthorized"},
	{ErrForbidden, http.StatusForbidden, "forbidden"},
	{gateway.ErrNotFound, http.StatusNotFound, "not_found"},
	{gateway.ErrConflict, http.StatusConflict, "conflict"},
	{gateway.ErrInvalid, http.StatusBadRequest, "invalid"},
	{gateway.ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
}

// WriteError answers an agent with a problem document.
func WriteError(w http.ResponseWriter, err error) {
	p := Problem{Status: http.StatusInternalServerError, Code: "internal", Detail: err.Error()}
	for _, m := range problems {
		if errors.Is(err, m.err) {
			p.Status, p.Code = m.status, m.code
			break
		}
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the agent is gone; it will ask again
}

// WriteJSON answers an agent.
func WriteJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		WriteError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // as above
}
