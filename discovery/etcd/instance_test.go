package etcd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        gateway.SourceEndpoint
	}{
		{"address only", `{"address":"10.0.0.1:8080"}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"everything", `{"address":"10.0.0.1:8080","weight":5,"priority":2,"zone":"a"}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 5, Priority: 2, Zone: "a"}},
		{"weight 0", `{"address":"10.0.0.1:8080","weight":0}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080"}},
		{"addr", `{"addr":"10.0.0.1:8080"}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"host and port", `{"host":"10.0.0.1","port":8080}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"port as text", `{"host":"2001:db8::1","port":"80"}`, gateway.SourceEndpoint{Address: "[2001:db8::1]:80", Weight: 1}},
		{"long IPv6", `{"address":"[2001:DB8:0::1]:80"}`, gateway.SourceEndpoint{Address: "[2001:db8::1]:80", Weight: 1}},
		{"mapped IPv4", `{"address":"[::ffff:10.0.0.1]:80"}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}},
		{"unknown fields", `{"address":"10.0.0.1:80","tags":["x"]}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}},
		{"naming", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":null}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"naming with traits", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":{"weight":7,"zone":"b"}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 7, Zone: "b"}},
		{"naming with foreign metadata", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":{"weight":"heavy","zone":"b"}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"naming with text", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":"v2"}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok, err := parse([]byte(c.value))
			if err != nil || !ok {
				t.Fatalf("ok %v, error %v", ok, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error("endpoint (-want +got):\n" + diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{``, "not an instance in JSON"},
		{`10.0.0.1:8080`, "not an instance in JSON"},
		{`"10.0.0.1:8080"`, "not an instance in JSON"},
		{`{"address":"10.0.0.1:8080"`, "not an instance in JSON"},
		{`{"address":"10.0.0.1:8080","weight":"5"}`, "not an instance in JSON"},
		{`{}`, "has no address"},
		{`{"host":"10.0.0.1"}`, "has no address"},
		{`{"address":"api.internal:80"}`, `address "api.internal:80" is not an IP address and a port`},
		{`{"address":"10.0.0.1"}`, "is not an IP address and a port"},
		{`{"address":"10.0.0.1:0"}`, "is not an IP address and a port"},
		{`{"address":"10.0.0.1:70000"}`, "is not an IP address and a port"},
		{`{"address":"0.0.0.0:80"}`, "is not an IP address and a port"},
		{`{"address":"[fe80::1%eth0]:80"}`, "is not an IP address and a port"},
		{`{"host":"10.0.0.1","port":{}}`, "is not an IP address and a port"},
		{`{"address":"10.0.0.1:80","weight":-1}`, "weight -1 is not between 0 and 1000"},
		{`{"address":"10.0.0.1:80","weight":1001}`, "weight 1001 is not between 0 and 1000"},
		{`{"address":"10.0.0.1:80","priority":-1}`, "priority -1 is negative"},
	} {
		t.Run(c.value, func(t *testing.T) {
			if e, ok, err := parse([]byte(c.value)); err == nil || ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, error %v; want an error with %q", e, ok, err, c.want)
			}
		})
	}
}

func TestParseTakesOut(t *testing.T) {
	if _, ok, err := parse([]byte(`{"Op":1,"Addr":"10.0.0.1:8080"}`)); ok || err != nil {
		t.Errorf("Op 1 gave ok %v, error %v; want no instance and no error", ok, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"address":"10.0.0.1:8080","weight":5,"priority":2,"zone":"a"}`))
	f.Add([]byte(`{"Op":0,"Addr":"[2001:db8::1]:80","Metadata":{"weight":7}}`))
	f.Add([]byte(`{"host":"10.0.0.1","port":"80"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, ok, err := parse(data)
		if err == nil && ok && (e.Address == "" || e.Weight < 0 || e.Weight > maxWeight || e.Priority < 0) {
			t.Errorf("%q was accepted as %+v", data, e)
		}
	})
}

func TestFolder(t *testing.T) {
	reserved := []string{"/sluice/"}
	for _, c := range []struct{ prefix, want, err string }{
		{"/services/api/", "/services/api/", ""},
		{"/services/api", "/services/api/", ""},
		{"services", "services/", ""},
		{"/sluice-demo/", "/sluice-demo/", ""},
		{"", "", "the whole etcd"},
		{"/", "", "the whole etcd"},
		{"//", "", "the whole etcd"},
		{"/sluice", "", "Sluice's own"},
		{"/sluice/v1/users/", "", "Sluice's own"},
	} {
		got, err := folder(c.prefix, reserved)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("folder(%q) = %q, %v; want %q, %q", c.prefix, got, err, c.want, c.err)
		}
	}
}
