package nginxconf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway"
)

// everything is one object of each kind that people write, all in use.
type everything struct {
	Tenant      *gateway.Tenant
	Upstream    *gateway.Upstream
	Route       *gateway.Route
	Override    *gateway.Override
	Pin         *gateway.Pin
	Policy      *gateway.Policy
	Fleet       *gateway.Fleet
	Certificate *gateway.Certificate
	Set         *gateway.EndpointSet
	Verdict     *gateway.Verdict
	Facts       *gateway.NodeFacts
}

const allObjects = `{
"Tenant": {"kind": "Tenant", "name": "acme", "spec": {"hosts": ["shop.test", "*.acme.test"], "fleets": ["shared"]}},
"Upstream": {"kind": "Upstream", "name": "api", "tenant": "acme", "spec": {"endpoints": [{"address": "10.0.0.4:8080", "weight": 1}]}},
"Route": {"kind": "Route", "name": "shop", "tenant": "acme", "spec": {"hosts": ["shop.test"], "match": [{"path": {"prefix": "/api"}}], "to": [{"upstream": "api", "weight": 1}]}},
"Override": {"kind": "Override", "name": "o", "tenant": "acme", "spec": {"route": "shop", "nginx": "proxy_buffering off;"}},
"Pin": {"kind": "Pin", "name": "p", "tenant": "acme", "spec": {}},
"Policy": {"kind": "Policy", "name": "default", "spec": {"nginxDirectives": ["proxy_buffering", "sluice_evil"]}},
"Fleet": {"kind": "Fleet", "name": "shared", "spec": {}},
"Certificate": {"kind": "Certificate", "name": "c", "tenant": "acme", "spec": {}},
"Set": {"upstream": {"tenant": "acme", "name": "api"}, "source": "manual", "endpoints": [{"address": "10.0.0.5:8080", "weight": 1}]},
"Verdict": {},
"Facts": {"nginxVersion": "1.22.1", "treePath": "/t/current", "listen": ["80"]}
}`

// payloads try to end what they stand in and to say "sluice_evil on".
var payloads = []string{
	"x; } sluice_evil on; {", "x;}}sluice_evil on;{{", "/x\"; sluice_evil on; \"", "x'; sluice_evil on; '", "/x\n} sluice_evil on;\n{", "x\r\nsluice_evil on;",
	"/x\\", "x\\\"; sluice_evil on;", "x # ", "${x; sluice_evil on;", "$sluice_to; sluice_evil on;", "/x\x00; sluice_evil on;", "\"", "'", "{", "}", ";",
	"\xff; sluice_evil on;", "x\u2028sluice_evil on;", "*/; sluice_evil on; /*", strings.Repeat("a; sluice_evil on; ", 220),
	"proxy_buffering off;}\nsluice_evil on;", "10.0.0.4:80; sluice_evil on;", "shop.test; sluice_evil on;", "unix:/x; sluice_evil on;", "169.254.169.254:80; sluice_evil on",
}

// TestAttackEveryField puts every payload into every text of every object, whatever it is
// for, now and in fields that are added later.
func TestAttackEveryField(t *testing.T) {
	fields := textFields(reflect.TypeFor[everything](), nil, 0)
	if len(fields) < 80 {
		t.Fatalf("found %d texts", len(fields))
	}
	before := map[string]bool{}
	for _, f := range renderAll(t, copyOf(t)) {
		for _, s := range statements(t, f) {
			before[nameOf(s)] = true
		}
	}
	for _, field := range fields {
		for _, payload := range payloads {
			all := copyOf(t)
			setText(reflect.ValueOf(all).Elem(), field, payload)
			if all.Facts.Check() != nil {
				continue // a node that says so gets nothing
			}
			for _, f := range renderAll(t, all) {
				for _, s := range statements(t, f) {
					if strings.Contains(nameOf(s), "sluice_evil") || strings.Contains(nameOf(s), "/server/server") {
						t.Errorf("%v = %q: %s has %q", field, payload, f.Path, s)
					}
				}
			}
		}
	}
	if !before["/server/location proxy_buffering"] || !before["/upstream server"] {
		t.Errorf("the objects are not in use: %v", before)
	}
	t.Logf("figure attacked_texts %d fields", len(fields))
}

// nameOf is a statement's blocks and name, without its values.
func nameOf(statement string) string {
	words := strings.SplitN(statement, " ", 3)
	if !strings.HasPrefix(statement, "/") {
		return words[0]
	}
	return words[0] + " " + words[1]
}

func copyOf(t *testing.T) *everything {
	t.Helper()
	all := &everything{}
	if err := json.Unmarshal([]byte(allObjects), all); err != nil {
		t.Fatal(err)
	}
	return all
}

func renderAll(t *testing.T, all *everything) []File {
	t.Helper()
	in := gateway.Inputs{
		Tenants: []*gateway.Tenant{all.Tenant}, Upstreams: []*gateway.Upstream{all.Upstream}, Routes: []*gateway.Route{all.Route}, Overrides: []*gateway.Override{all.Override},
		Pins: []*gateway.Pin{all.Pin}, Policies: []*gateway.Policy{all.Policy}, Fleets: []*gateway.Fleet{all.Fleet}, Certificates: []*gateway.Certificate{all.Certificate},
		Sets: []gateway.EndpointSet{*all.Set}, Verdicts: []gateway.Verdict{*all.Verdict},
	}
	s := gateway.Build(in, 1)
	all.Facts.Modules = allModules
	tree, _ := Render(s, "shared", *all.Facts)
	if err := tree.Verify(); err != nil {
		t.Fatal(err)
	}
	return tree.Files
}

// textFields lists the paths to all texts of a type: names of fields, "[]" for an element,
// "key" and "value" of a map.
func textFields(typ reflect.Type, at []string, depth int) [][]string {
	at = at[:len(at):len(at)]
	if depth > 12 || typ == reflect.TypeFor[gateway.Tags]() { // tags are JSON that gateway wrote itself
		return nil
	}
	switch typ.Kind() {
	case reflect.String:
		return [][]string{at}
	case reflect.Pointer:
		return textFields(typ.Elem(), append(at, "*"), depth+1)
	case reflect.Slice:
		return textFields(typ.Elem(), append(at, "[]"), depth+1)
	case reflect.Map:
		return append(textFields(typ.Elem(), append(at, "value"), depth+1), textFields(typ.Key(), append(at, "key"), depth+1)...)
	case reflect.Struct:
		var list [][]string
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				list = append(list, textFields(f.Type, append(at, f.Name), depth+1)...)
			}
		}
		return list
	}
	return nil
}

// setText sets one text and makes what is missing on the way.
func setText(v reflect.Value, path []string, text string) {
	if len(path) == 0 {
		v.SetString(text)
		return
	}
	switch path[0] {
	case "*":
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		setText(v.Elem(), path[1:], text)
	case "[]":
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		setText(v.Index(0), path[1:], text)
	case "key", "value":
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if key.Kind() == reflect.String {
			key.SetString("x-a")
		}
		setText(map[string]reflect.Value{"key": key, "value": value}[path[0]], path[1:], text)
		m := reflect.MakeMap(v.Type())
		m.SetMapIndex(key, value)
		v.Set(m)
	default:
		setText(v.FieldByName(path[0]), path[1:], text)
	}
}

// TestAttackedFields shows what the walk is worth: it reaches the texts that matter.
func TestAttackedFields(t *testing.T) {
	all := fmt.Sprint(textFields(reflect.TypeFor[everything](), nil, 0))
	for _, want := range []string{
		"Override * Spec Nginx", "Route * Spec Hosts []", "Route * Spec Match [] Path Prefix", "Route * Spec Filters [] Respond * Body",
		"Upstream * Spec Endpoints [] Address", "Tenant * Spec Hosts []", "Tenant * Meta Labels key", "Facts * Listen []", "Route * Meta Name",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not attacked: %s", want, all)
		}
	}
}
