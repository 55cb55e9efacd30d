package admin_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestSchemasFollowTheVocabulary holds openapi.yaml to the types of package gateway: they
// are written down twice, and a field that only one of them has is either refused from
// people or hidden from the UI.
func TestSchemasFollowTheVocabulary(t *testing.T) {
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		gateway.Tenant{}, gateway.Fleet{}, gateway.Policy{}, gateway.Upstream{}, gateway.Route{}, gateway.Override{}, gateway.Certificate{},
		gateway.Ref{}, gateway.UpstreamKey{}, gateway.Problem{}, gateway.Verdict{}, gateway.Node{}, gateway.Snapshot{},
	} {
		typ := reflect.TypeOf(v)
		schema := spec.Components.Schemas[typ.Name()]
		if schema == nil {
			t.Errorf("openapi.yaml has no schema %s", typ.Name())
			continue
		}
		compareFields(t, typ.Name(), schema.Value, typ, map[reflect.Type]bool{})
	}
}

func compareFields(t *testing.T, where string, schema *openapi3.Schema, typ reflect.Type, seen map[reflect.Type]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			if schema.Items == nil {
				t.Errorf("%s: a list in Go, none in openapi.yaml", where)
				return
			}
			schema = schema.Items.Value
		}
		typ = typ.Elem()
	}
	if len(schema.AllOf) == 1 {
		schema = schema.AllOf[0].Value
	}
	if typ.Kind() != reflect.Struct || typ.PkgPath() == "time" || seen[typ] {
		return
	}
	seen[typ] = true
	fields := jsonFields(typ)
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s.%s is in openapi.yaml, but not in %s", where, name, typ)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		p := schema.Properties[name]
		// The tenant of what has no owner and the metadata that only the server sets.
		if p == nil && name == "tenant" {
			continue
		}
		if p == nil {
			t.Errorf("%s.%s is in %s, but not in openapi.yaml", where, name, typ)
			continue
		}
		compareFields(t, where+"."+name, p.Value, fields[name], seen)
	}
}

// jsonFields are a struct's fields by their names in JSON, embedded ones included.
func jsonFields(typ reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(out, jsonFields(f.Type))
		case f.IsExported() && name != "-" && name != "":
			out[name] = f.Type
		}
	}
	return out
}

// Values that the vocabulary lists are the ones that the API takes.
func TestEnumsFollowTheVocabulary(t *testing.T) {
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range spec.Components.Schemas["UpstreamSpec"].Value.Properties["protocol"].Value.Enum {
		got = append(got, v.(string))
	}
	if !slices.Equal(got, gateway.Protocols) {
		t.Errorf("protocols are %q in openapi.yaml and %q in package gateway", got, gateway.Protocols)
	}
}
