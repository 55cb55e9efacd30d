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
		{"unknown fields", `{"address":"10.0.0.1:80","pid":7,"meta":{"weight":9}}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}},
		{"numbers as text", `{"address":"10.0.0.1:80","weight":"5","priority":" 2 "}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 5, Priority: 2}},
		{"floating numbers", `{"address":"10.0.0.1:80","weight":5.0,"zone":7}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 5, Zone: "7"}},
		{"nulls", `{"address":"10.0.0.1:80","weight":null,"zone":null,"tags":null,"status":null,"metadata":null}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}},
		{"tags as a map", `{"address":"10.0.0.1:80","tags":{"version":"v2","shard":3,"canary":true,"x":null}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Tags: `{"canary":"true","shard":"3","version":"v2","x":""}`}},
		{"tags as a list", `{"address":"10.0.0.1:80","tags":["canary","version=v2",4]}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Tags: `{"4":"","canary":"","version":"v2"}`}},
		{"tags as text", `{"address":"10.0.0.1:80","tags":"canary, version=v2"}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Tags: `{"canary":"","version":"v2"}`}},
		{"up", `{"address":"10.0.0.1:80","status":"UP"}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}},
		{"draining", `{"address":"10.0.0.1:80","status":"draining"}`, gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Terminating: true}},
		{"naming draining", `{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"status":"draining","tags":["a"]}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Terminating: true, Tags: `{"a":""}`}},
		{"naming", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":null}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
		{"naming with traits", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":{"weight":7,"zone":"b"}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 7, Zone: "b"}},
		{"naming with foreign metadata", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":{"weight":"heavy","priority":-1,"zone":"b"}}`,
			gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1, Zone: "b"}},
		{"naming with text", `{"Op":0,"Addr":"10.0.0.1:8080","Metadata":"v2"}`, gateway.SourceEndpoint{Address: "10.0.0.1:8080", Weight: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse([]byte(c.value))
			if err != nil || !got.present || got.note != "" {
				t.Fatalf("%+v, error %v", got, err)
			}
			if diff := cmp.Diff(c.want, got.endpoint); diff != "" {
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
		{`{"address":"10.0.0.1:8080","weight":"heavy"}`, "weight is not a whole number"},
		{`{"address":"10.0.0.1:8080","weight":0.5}`, "weight is not a whole number"},
		{`{"address":"10.0.0.1:8080","weight":[5]}`, "weight is not a whole number"},
		{`{"address":"10.0.0.1:8080","priority":{}}`, "priority is not a whole number"},
		{`{"address":"10.0.0.1:8080","tags":{"a":"` + strings.Repeat("x", maxTags) + `"}}`, "tags are longer than 4096 bytes"},
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
		t.Run(c.want, func(t *testing.T) {
			if got, err := parse([]byte(c.value)); err == nil || got.present || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.100s gave %+v, error %v; want an error with %q", c.value, got, err, c.want)
			}
		})
	}
}

func TestParseTakesOut(t *testing.T) {
	if got, err := parse([]byte(`{"Op":1,"Addr":"10.0.0.1:8080"}`)); got.present || got.endpoint.Address != "10.0.0.1:8080" || got.note != "" || err != nil {
		t.Errorf("Op 1 gave %+v, error %v; want that address out, no note and no error", got, err)
	}
	got, err := parse([]byte(`{"address":"10.0.0.1:8080","status":"down"}`))
	if err != nil || got.present || !strings.Contains(got.note, "10.0.0.1:8080 is down, so it is left out") {
		t.Errorf("down gave %+v, error %v; want no instance and the reason", got, err)
	}
}

// A status of someone else's making must not take an instance away.
func TestParseOtherStatus(t *testing.T) {
	for _, said := range []string{`"passing"`, `3`, `{"code":200}`} {
		got, err := parse([]byte(`{"address":"10.0.0.1:8080","status":` + said + `}`))
		if err != nil || !got.present || got.endpoint.Terminating || !strings.Contains(got.note, "is taken to be up") {
			t.Errorf("status %s gave %+v, %v", said, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"address":"10.0.0.1:8080","weight":5,"priority":2,"zone":"a"}`))
	f.Add([]byte(`{"Op":0,"Addr":"[2001:db8::1]:80","Metadata":{"weight":7}}`))
	f.Add([]byte(`{"host":"10.0.0.1","port":"80"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := parse(data)
		if e := i.endpoint; err == nil && i.present && (e.Address == "" || e.Weight < 0 || e.Weight > maxWeight || e.Priority < 0) {
			t.Errorf("%q was accepted as %+v", data, e)
		}
	})
}

func TestFolder(t *testing.T) {
	reserved := []string{"/sluice/"}
	allowed := []string{"/services/", "services", "/sluice-demo"}
	for _, c := range []struct{ prefix, want, err string }{
		{"/services-of-others/", "", "outside of what the registry's prefixes"},
		{"/other/", "", "follow one below /services/ or services or /sluice-demo"},
		{"/services", "/services/", ""},
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
		got, err := folder(c.prefix, reserved, allowed)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("folder(%q) = %q, %v; want %q, %q", c.prefix, got, err, c.want, c.err)
		}
	}
}
