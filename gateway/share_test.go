package gateway

import (
	"reflect"
	"testing"
	"time"
)

// A field that is added and not compared would keep an old decision alive: each one, set
// alone, has to make a difference.
func TestAlikeLooksAtEveryField(t *testing.T) {
	each(t, func(a, b *Host) bool { return a.alike(b) }, "digest")
	each(t, func(a, b *EffectiveRoute) bool { return a.alike(b) })
	each(t, func(a, b *Rule) bool { return (&Host{Rules: []Rule{*a}}).alike(&Host{Rules: []Rule{*b}}) })
	each(t, func(a, b *Verdict) bool { return a.alike(b) })
	each(t, func(a, b *Evidence) bool { return (&Verdict{Evidence: *a}).alike(&Verdict{Evidence: *b}) })
	each(t, func(a, b *EndpointSet) bool {
		return decisionOf(nil, []EndpointSet{*a}, nil, nil) == decisionOf(nil, []EndpointSet{*b}, nil, nil)
	},
		"SetKey.Upstream") // it is that of the upstream
	each(t, func(a, b *SourceEndpoint) bool {
		return decisionOf(nil, []EndpointSet{{Endpoints: []SourceEndpoint{*a}}}, nil, nil) == decisionOf(nil, []EndpointSet{{Endpoints: []SourceEndpoint{*b}}}, nil, nil)
	})
	each(t, func(a, b *PinSpec) bool {
		return decisionOf(nil, nil, []*Pin{{Spec: *a}}, nil) == decisionOf(nil, nil, []*Pin{{Spec: *b}}, nil)
	})
	// What is worked out from the pair alone, and the names of the pair, is left out.
	each(t, func(a, b *EffectiveCertificate) bool { return a.alike(b) }, "Key", "Status", "Chain", "PrivateKey")
}

// each sets one field of a T at a time, those of embedded structs too.
func each[T any](t *testing.T, alike func(a, b *T) bool, but ...string) {
	t.Helper()
	left := map[string]bool{}
	for _, name := range but {
		left[name] = true
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name := f.Name
		if len(f.Index) > 1 {
			name = reflect.TypeFor[T]().Field(f.Index[0]).Name + "." + name
		}
		if f.Anonymous || left[name] {
			continue
		}
		a, b := zeroRoutes(new(T)), zeroRoutes(new(T))
		v := reflect.ValueOf(b).Elem().FieldByIndex(f.Index)
		settable := reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // of unexported ones, too
		settable.Set(something(v.Type()))
		if !alike(a, a) || alike(a, b) {
			t.Errorf("%T: field %s makes no difference", *a, name)
		}
	}
}

// zeroRoutes gives a rule a route, which it never lacks.
func zeroRoutes[T any](v *T) *T {
	if r, ok := any(v).(*Rule); ok {
		r.Route = &EffectiveRoute{}
	}
	return v
}

// something is a value of the type that is not its zero.
func something(typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.Append(v, something(typ.Elem())))
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
		if typ == reflect.TypeFor[*EffectiveRoute]() {
			v.Elem().Set(something(typ.Elem()))
		}
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			return reflect.ValueOf(time.Unix(1, 0))
		}
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				v.Field(i).Set(something(f.Type))
			}
		}
	}
	return v
}
