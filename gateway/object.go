package gateway

import (
	"cmp"
	"fmt"
	"time"
)

// Kind names a type of object, as written in the "kind" key of a document.
type Kind string

// The kinds of objects that people write.
const (
	KindTenant      Kind = "Tenant"
	KindUpstream    Kind = "Upstream"
	KindRoute       Kind = "Route"
	KindOverride    Kind = "Override"
	KindPolicy      Kind = "Policy"
	KindFleet       Kind = "Fleet"
	KindCertificate Kind = "Certificate"
	KindPin         Kind = "Pin"
	KindAllowance   Kind = "Allowance"
	KindStream      Kind = "Stream"
)

// Kinds lists every kind in the order in which objects depend on each other: applying in
// this order never names something that does not exist yet.
var Kinds = []Kind{KindTenant, KindFleet, KindPolicy, KindCertificate, KindUpstream, KindRoute, KindStream, KindOverride, KindPin, KindAllowance}

// Owned says whether objects of the kind belong to a tenant.
func (k Kind) Owned() bool {
	return k == KindUpstream || k == KindRoute || k == KindOverride || k == KindCertificate || k == KindPin || k == KindStream
}

// Meta is what every object carries besides its spec. The writer sets kind, name, tenant
// and labels; the server sets the rest.
type Meta struct {
	Kind   Kind              `json:"kind"`
	Name   string            `json:"name"`
	Tenant string            `json:"tenant,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`

	// Revision is the store's revision of the last write. It is the ETag of the object
	// and what compare-and-swap compares.
	Revision int64 `json:"revision,omitempty"`
	// CreatedRevision is the store's revision of the first write; between two objects that
	// claim the same thing, the older one keeps it.
	CreatedRevision int64     `json:"createdRevision,omitempty"`
	CreatedBy       string    `json:"createdBy,omitempty"`
	UpdatedBy       string    `json:"updatedBy,omitempty"`
	UpdatedAt       time.Time `json:"updatedAt,omitzero"`
	// DerivedFrom is set on objects that nobody wrote. They are not in the store.
	DerivedFrom *DerivedFrom `json:"derivedFrom,omitempty"`
}

// Head gives access to the metadata of any object.
func (m *Meta) Head() *Meta { return m }

// Ref names the object.
func (m *Meta) Ref() Ref { return Ref{Kind: m.Kind, Tenant: m.Tenant, Name: m.Name} }

// Object is any of the objects: *Tenant, *Upstream, *Route, *Override, *Policy, *Fleet,
// *Certificate, *Pin, *Allowance, *Stream.
type Object interface {
	Head() *Meta
}

// NewObject returns an empty object of the kind, or an error that lists the known kinds.
func NewObject(kind Kind) (Object, error) {
	m := Meta{Kind: kind}
	switch kind {
	case KindTenant:
		return &Tenant{Meta: m}, nil
	case KindUpstream:
		return &Upstream{Meta: m}, nil
	case KindRoute:
		return &Route{Meta: m}, nil
	case KindOverride:
		return &Override{Meta: m}, nil
	case KindPolicy:
		return &Policy{Meta: m}, nil
	case KindFleet:
		return &Fleet{Meta: m}, nil
	case KindCertificate:
		return &Certificate{Meta: m}, nil
	case KindPin:
		return &Pin{Meta: m}, nil
	case KindAllowance:
		return &Allowance{Meta: m}, nil
	case KindStream:
		return &Stream{Meta: m}, nil
	}
	return nil, fmt.Errorf("unknown kind %q: known kinds are %v", kind, Kinds)
}

// Ref names an object.
type Ref struct {
	Kind   Kind   `json:"kind"`
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name"`
}

// String reads "Route acme/shop-api", or "Tenant acme" for kinds without an owner.
func (r Ref) String() string {
	if r.Tenant == "" {
		return string(r.Kind) + " " + r.Name
	}
	return string(r.Kind) + " " + r.Tenant + "/" + r.Name
}

// Compare orders refs by kind, tenant and name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Tenant, o.Tenant), cmp.Compare(r.Name, o.Name))
}
