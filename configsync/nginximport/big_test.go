package nginximport

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// As much as fits takes seconds: nothing is compared with everything else.
func TestBig(t *testing.T) {
	var b strings.Builder
	b.WriteString("events {}\nhttp {\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "upstream u%d { server 10.0.%d.%d:80; }\nserver { listen 80; server_name h%d.example.com; location / { proxy_pass http://u%d; } location /a/ { allow 10.0.0.0/8; deny all; proxy_pass http://u%d; } }\n", i, i/250, i%250+1, i, i, i)
	}
	b.WriteString("server { listen 81; server_name many.example.com;\n")
	for i := range 10000 {
		fmt.Fprintf(&b, "location /p%d/ { proxy_pass http://u%d; }\n", i, i%5000)
	}
	b.WriteString("}\n}\n")
	begin := time.Now()
	r, err := Import(Memory("/c", map[string][]byte{"/c": []byte(b.String())}), Options{})
	took := time.Since(begin)
	if err != nil || r.Report.Routes != 20000 || r.Report.Upstreams != 5000 || r.Report.Untranslated != 0 {
		t.Fatalf("%v: %+v", err, r.Report.Summary())
	}
	t.Logf("figure nginx_import_20000_routes %.2f s goal 5", took.Seconds())
	if took > time.Minute {
		t.Errorf("it took %v", took)
	}
}
