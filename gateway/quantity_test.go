package gateway_test

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// spelling is what a quantity makes of a text: its shortest form, or an error.
type spelling struct{ in, want, err string }

func checkSpellings(t *testing.T, cases []spelling, read func(string) (string, error)) {
	t.Helper()
	for _, c := range cases {
		got, err := read(c.in)
		if (err != nil) != (c.err != "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: error %v, want %q", c.in, err, c.err)
		}
		if err == nil && got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// through reads a text and writes it again.
func through[T any, P interface {
	*T
	encoding.TextUnmarshaler
	encoding.TextMarshaler
}](in string) (string, error) {
	var v T
	if err := P(&v).UnmarshalText([]byte(in)); err != nil {
		return "", err
	}
	b, err := P(&v).MarshalText()
	return string(b), err
}

func TestDurationSpellings(t *testing.T) {
	const bad = " is not a duration: write a number and a unit, such as 500ms, 2s or 1h30m"
	checkSpellings(t, []spelling{
		{in: "250ms", want: "250ms"},
		{in: "2s", want: "2s"},
		{in: "60s", want: "1m"},
		{in: "90s", want: "1m30s"},
		{in: "600s", want: "10m"},
		{in: "60m", want: "1h"},
		{in: "1h30m", want: "1h30m"},
		{in: "1h0m5s", want: "1h0m5s"},
		{in: "10h", want: "10h"},
		{in: "20h10m", want: "20h10m"},
		{in: "1.5s", want: "1.5s"},
		{in: "0", want: "0s"},
		{in: "0s", want: "0s"},
		{in: "", err: `""` + bad},
		{in: "5", err: `"5"` + bad},
		{in: "5 s", err: `"5 s"` + bad},
		{in: "1d", err: `"1d"` + bad},
		{in: "soon", err: `"soon"` + bad},
		{in: "9999999h", err: `"9999999h"` + bad},
		{in: "-1s", err: `"-1s" is negative: write a duration such as 500ms, 2s or 1h30m`},
	}, through[gateway.Duration])
	if d := gateway.Duration(1500 * time.Millisecond); d.Std() != 1500*time.Millisecond {
		t.Errorf("Std gives %v", d.Std())
	}
}

func TestSizeSpellings(t *testing.T) {
	const bad = " is not a size: write bytes, or a number with k, m or g, such as 64k or 10m"
	checkSpellings(t, []spelling{
		{in: "0", want: "0"},
		{in: "1", want: "1"},
		{in: "1023", want: "1023"},
		{in: "1024", want: "1k"},
		{in: "64k", want: "64k"},
		{in: "64K", want: "64k"},
		{in: "1025k", want: "1025k"},
		{in: "2048k", want: "2m"},
		{in: "10485760", want: "10m"},
		{in: "10M", want: "10m"},
		{in: "1024m", want: "1g"},
		{in: "1G", want: "1g"},
		{in: "4294967296g", want: "4294967296g"},
		{in: "4294967297g", err: `"4294967297g"` + bad},
		{in: "4611686018427387905", err: `"4611686018427387905"` + bad},
		{in: "99999999999999999999", err: `"99999999999999999999"` + bad},
		{in: "", err: `""` + bad},
		{in: "k", err: `"k"` + bad},
		{in: "10t", err: `"10t"` + bad},
		{in: "10mb", err: `"10mb"` + bad},
		{in: "1.5m", err: `"1.5m"` + bad},
		{in: "10 m", err: `"10 m"` + bad},
		{in: "-1", err: `"-1"` + bad},
		{in: "-1k", err: `"-1k"` + bad},
	}, through[gateway.Size])
}

// In JSON quantities are texts, and the zero value is left out.
func TestQuantitiesInJSON(t *testing.T) {
	in := `{"hosts":["a.test"],"to":[{"upstream":"u"}],"timeout":"90s","maxBodySize":"2048k"}`
	var spec gateway.RouteSpec
	if err := json.Unmarshal([]byte(in), &spec); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(spec)
	want := `{"hosts":["a.test"],"to":[{"upstream":"u"}],"timeout":"1m30s","maxBodySize":"2m"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	spec.Timeout, spec.MaxBodySize = 0, 0
	got, err = json.Marshal(spec)
	if want = `{"hosts":["a.test"],"to":[{"upstream":"u"}]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"timeout":5}`), &spec); err == nil {
		t.Error("a bare number is no duration")
	}
}

func TestHostSpellings(t *testing.T) {
	const only = " can't stand in a host name: write the name only, without scheme, port or path, and international names in their xn-- form"
	const star = "a wildcard is written as *.example.com: the star stands alone and first"
	const empty = "a host is empty: write a name such as shop.example.com, *.example.com or *"
	long, most := strings.Repeat("a", 64), strings.Repeat("a", 63)
	name253 := most + "." + most + "." + most + "." + most[:61]
	checkSpellings(t, []spelling{
		{in: "shop.example.com", want: "shop.example.com"},
		{in: "Shop.EXAMPLE.com.", want: "shop.example.com"},
		{in: "*.Example.com", want: "*.example.com"},
		{in: "*", want: "*"},
		{in: "localhost", want: "localhost"},
		{in: "10.0.0.1", want: "10.0.0.1"},
		{in: "_dmarc.a-b.test", want: "_dmarc.a-b.test"},
		{in: "xn--bcher-kva.example", want: "xn--bcher-kva.example"},
		{in: most + ".test", want: most + ".test"},
		{in: name253, want: name253},
		{in: "*." + name253, want: "*." + name253},
		{in: "", err: empty},
		{in: ".", err: empty},
		{in: "*..", err: empty},
		{in: ".a", err: `host ".a": a label between dots is empty`},
		{in: "a..b", err: `host "a..b": a label between dots is empty`},
		{in: "a..", err: `host "a..": a label between dots is empty`},
		{in: "-a.test", err: `host "-a.test": label "-a" begins or ends with a hyphen`},
		{in: "a-.test", err: `host "a-.test": label "a-" begins or ends with a hyphen`},
		{in: long + ".test", err: `host "` + long + `.test": a label is longer than 63 bytes`},
		{in: name253 + "a", err: `host "` + name253 + `a" is longer than 253 bytes`},
		{in: "*a.test", err: `host "*a.test": ` + star},
		{in: "a.*.test", err: `host "a.*.test": ` + star},
		{in: "*.*", err: `host "*.*": ` + star},
		{in: "a.test:80", err: `host "a.test:80": ':'` + only},
		{in: "https://a.test", err: `host "https://a.test": ':'` + only},
		{in: "a.test/x", err: `host "a.test/x": '/'` + only},
		{in: "[::1]", err: `host "[::1]": '['` + only},
		{in: " a.test", err: `host " a.test": ' '` + only},
		{in: "bücher.example", err: `host "bücher.example": 'ü'` + only},
		{in: "a\n.test", err: `host "a\n.test": '\n'` + only},
	}, gateway.NormalHost)
}

func TestAddressSpellings(t *testing.T) {
	const bad = " is not IP:port: write 10.0.0.4:8080 or [2001:db8::4]:8080, names belong under spec.discover"
	checkSpellings(t, []spelling{
		{in: "10.0.0.4:8080", want: "10.0.0.4:8080"},
		{in: "[2001:DB8:0:0::4]:8080", want: "[2001:db8::4]:8080"},
		{in: "[::ffff:10.0.0.4]:80", want: "10.0.0.4:80"},
		{in: "127.0.0.1:65535", want: "127.0.0.1:65535"},
		{in: "[::1]:1", want: "[::1]:1"},
		{in: "", err: `""` + bad},
		{in: "10.0.0.4", err: `"10.0.0.4"` + bad},
		{in: "10.0.0.4:", err: `"10.0.0.4:"` + bad},
		{in: "10.0.0.4:65536", err: `"10.0.0.4:65536"` + bad},
		{in: "10.0.0.4:http", err: `"10.0.0.4:http"` + bad},
		{in: "010.0.0.4:80", err: `"010.0.0.4:80"` + bad},
		{in: "2001:db8::4:8080", err: `"2001:db8::4:8080"` + bad},
		{in: "db.test:80", err: `"db.test:80"` + bad},
		{in: ":80", err: `":80"` + bad},
		{in: "10.0.0.4:0", err: `"10.0.0.4:0" has port 0`},
		{in: "0.0.0.0:80", err: `"0.0.0.0:80" can't be connected to`},
		{in: "[::]:80", err: `"[::]:80" can't be connected to`},
		{in: "[::ffff:0.0.0.0]:80", err: `"[::ffff:0.0.0.0]:80" can't be connected to`},
		{in: "224.0.0.1:80", err: `"224.0.0.1:80" can't be connected to`},
		{in: "[::ffff:224.0.0.1]:80", err: `"[::ffff:224.0.0.1]:80" can't be connected to`},
		{in: "[ff02::1]:80", err: `"[ff02::1]:80" can't be connected to`},
		{in: "[fe80::1%eth0]:80", err: `"[fe80::1%eth0]:80" has a zone, which differs from node to node: use a routable address`},
	}, func(in string) (string, error) {
		got, err := gateway.NormalAddress(in)
		if err != nil {
			return "", trimmed{err, "address "}
		}
		return got, nil
	})
}

// trimmed is an error without the words that all errors of a table begin with.
type trimmed struct {
	error
	prefix string
}

func (e trimmed) Error() string { return strings.TrimPrefix(e.error.Error(), e.prefix) }

func TestStatusRange(t *testing.T) {
	for _, c := range []struct {
		in          string
		first, last int
	}{
		{"200", 200, 200}, {"200-399", 200, 399}, {"100-599", 100, 599}, {"404-404", 404, 404},
		{in: ""}, {in: "99"}, {in: "600"}, {in: "2xx"}, {in: "200-"}, {in: "-399"}, {in: "399-200"}, {in: "99-200"},
		{in: "200-600"}, {in: "200-299-399"}, {in: "200 - 399"}, {in: "200,201"}, {in: "-200"},
	} {
		first, last, err := gateway.StatusRange(c.in)
		if first != c.first || last != c.last || (err != nil) != (c.first == 0) {
			t.Errorf("%q: %d to %d, %v", c.in, first, last, err)
		}
		want := `"` + c.in + `" is not a status or a range of statuses from 100 to 599, such as 200 or 200-399`
		if err != nil && err.Error() != want {
			t.Errorf("%q: error %q, want %q", c.in, err, want)
		}
	}
}
