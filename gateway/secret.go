package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// SecretPlaceholder is what a secret reads as wherever it is shown. Written back it stands
// for the secret that is stored.
const SecretPlaceholder = "(secret)"

// Secret is text that is taken in and never shown: JSON, YAML, logs and every verb of fmt
// give the placeholder. Only the store keeps it, by [MarshalClear]; string(s) reads it.
type Secret string

func (s Secret) shown() string {
	if s == "" {
		return ""
	}
	return SecretPlaceholder
}

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.shown()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = Secret(b)
	return nil
}

// Format implements fmt.Formatter, so that no verb shows the text.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.shown()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.shown()) }

// MarshalClear is an object as JSON with its secrets in clear, without what is worked out
// from it: for the store, and for whoever sends an object to it.
func MarshalClear(o Object) ([]byte, error) { return json.Marshal(Clear(o)) }

// Clear is what to encode for [MarshalClear].
func Clear(o Object) any {
	if u, ok := o.(*Upstream); ok {
		return clearUpstream(u)
	}
	c, ok := o.(*Certificate)
	if !ok {
		return o
	}
	type clearSpec struct {
		CertificateSpec
		Key string `json:"key"` // in the place of the Secret
	}
	return struct {
		Meta
		Spec clearSpec `json:"spec"`
	}{c.Meta, clearSpec{c.Spec, string(c.Spec.Key)}}
}

// KeepSecrets puts the secrets of before (nil: there is no such object) where now has the
// placeholder for them. It changes now, and wraps [ErrInvalid] when there is nothing to
// keep.
func KeepSecrets(now, before Object) error {
	if u, ok := now.(*Upstream); ok {
		was, _ := before.(*Upstream)
		return keepPassword(u, was)
	}
	c, ok := now.(*Certificate)
	if !ok || c.Spec.Key != SecretPlaceholder {
		return nil
	}
	old, ok := before.(*Certificate)
	if !ok || old.Spec.Key == "" || old.Spec.Key == SecretPlaceholder {
		return fmt.Errorf("%w: %s: spec.key is %q, which stands for a key that is stored already, and none is: write the key in PEM",
			ErrInvalid, c.Ref(), SecretPlaceholder)
	}
	c.Spec.Key = old.Spec.Key
	return nil
}
