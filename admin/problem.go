package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/admin/auth"
	"github.com/sluice-gateway/sluice/gateway"
)

// invalidFields is an ErrInvalid that says which fields are meant.
type invalidFields struct {
	fields []api.FieldError
}

func invalidField(field, message string) error {
	return &invalidFields{fields: []api.FieldError{{Field: field, Message: message}}}
}

// Error is the first field's message; the document lists the others.
func (e *invalidFields) Error() string {
	first := e.fields[0]
	if first.Field == "" {
		return first.Message
	}
	return first.Field + ": " + first.Message
}

// Is makes it a gateway.ErrInvalid.
func (e *invalidFields) Is(target error) bool { return target == gateway.ErrInvalid }

// preconditionError is a conflict that the caller asked for by If-Match or If-None-Match.
type preconditionError struct{ error }

// Unwrap gives the conflict itself.
func (e preconditionError) Unwrap() error { return e.error }

// statusError is an answer with a status that its code alone does not tell.
type statusError struct {
	status  int
	code    api.ErrorCode
	message string
}

// Error says what is wrong.
func (e *statusError) Error() string { return e.message }

func isProblem(err error) bool {
	var f *invalidFields
	var s *statusError
	return errors.As(err, &f) || errors.As(err, &s)
}

// codes maps what callers tell apart to the code, the status and the title of the document.
// The first that fits counts; what fits none is internal.
var codes = []struct {
	err    error
	code   api.ErrorCode
	status int
}{
	{auth.ErrMissing, api.Unauthorized, http.StatusUnauthorized},
	{auth.ErrWrong, api.Unauthorized, http.StatusUnauthorized},
	{gateway.ErrNotFound, api.NotFound, http.StatusNotFound},
	{gateway.ErrConflict, api.Conflict, http.StatusConflict},
	{gateway.ErrInvalid, api.Invalid, http.StatusBadRequest},
	{gateway.ErrUnavailable, api.Unavailable, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, api.Unavailable, http.StatusServiceUnavailable},
	{context.Canceled, api.Unavailable, http.StatusServiceUnavailable},
}

var titles = map[api.ErrorCode]string{
	api.Invalid:      "The request is not valid",
	api.NotFound:     "There is no such thing",
	api.Conflict:     "Somebody else changed it",
	api.Unauthorized: "A valid token is needed",
	api.Forbidden:    "Not allowed",
	api.Unavailable:  "Not available at the moment",
	api.Internal:     "Something is wrong inside Sluice",
}

func codeOf(err error) api.ErrorCode { return documentOf(err).Code }

// documentOf describes an error. The text of an internal error stays in the log: it may
// hold what callers should not see.
func documentOf(err error) api.ErrorDocument {
	d := api.ErrorDocument{Type: "about:blank", Code: api.Internal, Status: http.StatusInternalServerError}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			d.Code, d.Status = c.code, c.status
			break
		}
	}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		d.Code, d.Status = api.Invalid, http.StatusRequestEntityTooLarge
	}
	if s := (*statusError)(nil); errors.As(err, &s) {
		d.Code, d.Status = s.code, s.status
	}
	if p := (preconditionError{}); errors.As(err, &p) && d.Code == api.Conflict {
		d.Status = http.StatusPreconditionFailed
	}
	d.Title = titles[d.Code]
	d.Detail = "The log of this node says what happened."
	if d.Code != api.Internal {
		d.Detail = err.Error()
	}
	if f := (*invalidFields)(nil); errors.As(err, &f) {
		d.Errors = f.fields
	}
	return d
}

// WriteError answers with a problem document. It has the shape that auth.Tokens.Require
// wants, so that other handlers behind the same check refuse in the same words.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	d := documentOf(err)
	d.Instance = r.URL.Path
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch d.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="sluice"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "2")
	}
	w.WriteHeader(d.Status)
	// The status is out; a caller that has gone away cannot be told more.
	_ = json.NewEncoder(w).Encode(d)
}

func stack() string { return string(debug.Stack()) }
