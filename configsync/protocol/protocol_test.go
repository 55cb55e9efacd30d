package protocol

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestToken(t *testing.T) {
	one := NewToken([]byte("authority"))
	got, err := ParseToken("  " + one.Text() + "\n")
	if err != nil || got != one {
		t.Errorf("read back: %v", err)
	}
	if two := NewToken([]byte("authority")); two.Secret == one.Secret || two.Authority != one.Authority {
		t.Error("tokens share their secret, or not their authority")
	}
	text := one.Text()
	for _, bad := range []string{"", "x", strings.Replace(text, "sluice", "other", 1), text + ".x", text[:len(text)-2], text + "A", strings.ReplaceAll(text, ".", " ")} {
		if _, err := ParseToken(bad); !errors.Is(err, gateway.ErrInvalid) || len(bad) > 20 && strings.Contains(err.Error(), bad[15:]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEnvelope(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Statement{Fleet: "shared", Facts: "f", Digest: "d", Numbering: Numbering{Number: 7, Previous: 8, Rollback: true}}
	e, err := Sign(want, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Open([][]byte{[]byte("short"), pub}); err != nil || got != want {
		t.Errorf("opened: %+v %v", got, err)
	}
	for i := range e.Statement {
		bad := Envelope{Statement: bytes.Clone(e.Statement), Signature: e.Signature}
		bad.Statement[i] ^= 1
		if _, err := bad.Open([][]byte{pub}); err == nil {
			t.Fatalf("byte %d was changed and nobody noticed", i)
		}
	}
	plain := Envelope{Statement: e.Statement, Signature: ed25519.Sign(key, e.Statement)}
	if _, err := plain.Open([][]byte{pub}); err == nil {
		t.Error("a signature that was made for something else counts")
	}
	if _, err := e.Open(nil); err == nil {
		t.Error("opened without a key")
	}
}

func TestPeer(t *testing.T) {
	for _, p := range []Peer{{"shared", "edge-1"}, {"a.b", "knoten-ä?#%2f"}} {
		u, err := url.Parse(p.URI().String())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePeer(u); err != nil || got != p {
			t.Errorf("%s: %+v %v", u, got, err)
		}
	}
	for _, bad := range []string{ControlURI, "sluice://fleet/a/node/", "sluice://fleet//node/b", "sluice://fleet/a/node/b/c", "https://fleet/a/node/b", "sluice://other/a/node/b", "sluice://fleet/a/host/b"} {
		u, err := url.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePeer(u); err == nil {
			t.Errorf("%s names %+v", bad, got)
		}
	}
	ctx := WithPeer(context.Background(), Peer{"shared", "n1"})
	if err := Check(ctx, "shared", "n1"); err != nil {
		t.Error(err)
	}
	if err := Check(ctx, "shared", "n2"); !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	if err := Check(context.Background(), "shared", "n1"); !errors.Is(err, ErrUnauthorized) {
		t.Error(err)
	}
}

func TestWriteError(t *testing.T) {
	for err, want := range map[error]string{
		ErrUnauthorized: "401 unauthorized", ErrForbidden: "403 forbidden", gateway.ErrNotFound: "404 not_found", gateway.ErrConflict: "409 conflict",
		gateway.ErrInvalid: "400 invalid", gateway.ErrUnavailable: "503 unavailable", errors.New("x"): "500 internal",
	} {
		w := httptest.NewRecorder()
		WriteError(w, fmt.Errorf("why: %w", err))
		var p Problem
		if json.Unmarshal(w.Body.Bytes(), &p) != nil || fmt.Sprint(w.Code, " ", p.Code) != want || p.Status != w.Code || !strings.HasPrefix(p.Detail, "why: ") {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
}
