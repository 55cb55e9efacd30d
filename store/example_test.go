package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sluice-store-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears its temporary folder anyway

	s, err := store.Open(ctx, store.Config{DataDir: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		panic(err)
	}
	defer func() { _ = s.Close() }() // the example is over

	acme := &gateway.Tenant{
		Meta: gateway.Meta{Kind: gateway.KindTenant, Name: "acme"},
		Spec: gateway.TenantSpec{Hosts: []string{"shop.example.com"}},
	}
	first, err := s.Put(ctx, acme, store.Write{Actor: "alice", Reason: "OPS-1"})
	if err != nil {
		panic(err)
	}

	// Bob and Carol both start from what Alice wrote; Bob is faster.
	read := first.Head().Revision
	acme.Spec.Hosts = append(acme.Spec.Hosts, "www.example.com")
	if _, err := s.Put(ctx, acme, store.Write{Actor: "bob", IfRevision: &read}); err != nil {
		panic(err)
	}
	err = s.Delete(ctx, acme.Ref(), store.Write{Actor: "carol", IfRevision: &read})
	fmt.Println("carol:", errors.Is(err, store.ErrConflict))

	history, err := s.History(ctx, acme.Ref())
	if err != nil {
		panic(err)
	}
	for _, e := range history {
		fmt.Println(e.Actor, e.Verb, e.Object.(*gateway.Tenant).Spec.Hosts)
	}
	// Output:
	// carol: true
	// bob update [shop.example.com www.example.com]
	// alice create [shop.example.com]
}
