package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// The reasons why a request is not let in.
var (
	// ErrMissing: the request carries no token.
	ErrMissing = errors.New("a token is needed: send the header \"Authorization: Bearer TOKEN\"")
	// ErrWrong: the token is not a known one.
	ErrWrong = errors.New("the token is not valid")
)

type contextKey struct{}

// From returns who the request of the context comes from.
func From(ctx context.Context) (Identity, bool) {
	who, ok := ctx.Value(contextKey{}).(Identity)
	return who, ok
}

// Require lets through requests with a known token, with the identity in their context, and
// hands all others to deny together with [ErrMissing] or [ErrWrong].
func (t *Tokens) Require(deny func(w http.ResponseWriter, r *http.Request, err error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, ok := bearer(r.Header.Get("Authorization"))
		if !ok {
			deny(w, r, ErrMissing)
			return
		}
		who, ok := t.Who(secret)
		if !ok {
			deny(w, r, ErrWrong)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, who)))
	})
}

// bearer takes the token out of an Authorization field (RFC 6750; the scheme's name is
// case-insensitive).
func bearer(field string) (string, bool) {
	scheme, secret, ok := strings.Cut(field, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	secret = strings.TrimSpace(secret)
	return secret, secret != ""
}
