package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/store"
	"github.com/sluice-gateway/sluice/store/storetest"
)

// The store is the one place that keeps a secret: it comes back from Get, from the watch and
// from the history, and the placeholder stands for it.
func TestSecretsAreStored(t *testing.T) {
	s, ctx := storetest.OpenTemp(t), t.Context()
	p := certtest.NewCA(t, "ca", time.Now()).Issue(t, time.Now(), "a.example.com")
	c := &gateway.Certificate{Meta: gateway.Meta{Kind: gateway.KindCertificate, Tenant: "acme", Name: "a"},
		Spec: gateway.CertificateSpec{Certificate: p.Chain, Key: gateway.SecretPlaceholder}}
	if _, err := s.Put(ctx, c, by); !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("a placeholder for nothing: %v", err)
	}
	c.Spec.Key = gateway.Secret(p.Key)
	first := put(t, s, c)
	c.Spec.Key = gateway.SecretPlaceholder
	if again := put(t, s, c); again.Head().Revision != first.Head().Revision {
		t.Error("the placeholder counts as a change")
	}
	c.Labels = map[string]string{"a": "b"}
	put(t, s, c)
	got, err := s.Get(ctx, c.Ref())
	if err != nil || got.(*gateway.Certificate).Spec.Key != gateway.Secret(p.Key) {
		t.Errorf("the key is lost: %v", err)
	}
	entries, err := s.History(ctx, c.Ref())
	if err != nil || len(entries) != 2 || entries[1].Object.(*gateway.Certificate).Spec.Key != gateway.Secret(p.Key) {
		t.Errorf("the history has lost the key, or has too much: %d, %v", len(entries), err)
	}
}
