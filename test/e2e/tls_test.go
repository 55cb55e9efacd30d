package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certtest"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// secure is a running sluice with a listener for TLS, a default certificate in files and
// objects that the test applies.
type secure struct {
	*instance
	https string
	ca    *certtest.CA
	caPEM string // file
}

func startSecure(t *testing.T) *secure {
	t.Helper()
	s := &secure{instance: configure(t, ""), https: freeport.Address(t), ca: certtest.NewCA(t, "ca", time.Now())}
	s.caPEM = s.file("ca.pem", s.ca.PEM)
	s.ca.Issue(t, time.Now(), "files.example.com").Write(t, s.dir, "default")
	conf, err := os.ReadFile(s.dir + "/sluice.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.file("sluice.yaml", strings.Replace(string(conf), "listeners: [", fmt.Sprintf("listeners: [{name: https, address: %q, tls: {certFile: %s/default.pem, keyFile: %s/default.key}}, ", s.https, s.dir, s.dir), 1))
	s.start()
	return s
}

func (s *secure) file(name, text string) string {
	s.t.Helper()
	path := s.dir + "/" + name
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// certificate is an object of kind Certificate in JSON.
func certificate(name string, p certtest.Pair, clientCA string) map[string]any {
	spec := map[string]any{"certificate": p.Chain, "key": p.Key}
	if clientCA != "" {
		spec["clientAuth"] = map[string]any{"mode": "require", "ca": clientCA}
	}
	return map[string]any{"kind": "Certificate", "name": name, "tenant": "acme", "spec": spec}
}

// curl asks for a URL at the listener. It returns the status, or what curl complains of.
func (s *secure) curl(url string, args ...string) string {
	args = append([]string{"-sS", "--max-time", "30", "--cacert", s.caPEM, "--connect-to", "::" + s.https, "-o", "/dev/null", "-w", "%{http_code}", url}, args...)
	out, _ := exec.Command("curl", args...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// openssl runs s_client with its standard input at an end.
func (s *secure) openssl(args ...string) string {
	out, _ := exec.Command("openssl", append([]string{"s_client", "-connect", s.https, "-CAfile", s.caPEM}, args...)...).CombinedOutput()
	return string(out)
}

func (s *secure) apply(objects ...map[string]any) {
	s.t.Helper()
	if err := s.api("POST", "/apply", map[string]any{"objects": objects}, nil); err != nil {
		s.t.Fatal(err)
	}
}

// Objects and files to handshakes, with the clients that people use.
func TestTLS(t *testing.T) {
	s := startSecure(t)
	object := func(kind, name string, spec map[string]any) map[string]any {
		o := map[string]any{"kind": kind, "name": name, "spec": spec}
		if kind != "Tenant" {
			o["tenant"] = "acme"
		}
		return o
	}
	exact, must := s.ca.Issue(t, time.Now(), "shop.example.com"), s.ca.Issue(t, time.Now(), "must.example.com")
	s.apply(
		object("Tenant", "acme", map[string]any{"hosts": []string{"*.example.com"}}),
		object("Upstream", "api", map[string]any{"endpoints": []any{map[string]any{"address": backend(t, "one", "")}}}),
		object("Route", "all", map[string]any{"hosts": []string{"*.example.com"}, "to": []any{map[string]any{"upstream": "api"}}}),
		certificate("exact", exact, ""), certificate("wild", s.ca.Issue(t, time.Now(), "*.example.com"), ""), certificate("must", must, s.ca.PEM),
	)
	until(t, 30*time.Second, "served over TLS", func() error {
		if got := s.curl("https://shop.example.com/"); got != "200" {
			return fmt.Errorf("curl says %s", got)
		}
		return nil
	})
	client := s.ca.Issue(t, time.Now())
	for _, c := range []struct{ what, got, want string }{
		{"wildcard", s.curl("https://other.example.com/"), "200"},
		{"TLS 1.2", s.curl("https://shop.example.com/", "--tls-max", "1.2"), "200"},
		{"plain HTTP", s.curl("http://shop.example.com/"), "400"},
		{"no client certificate", s.curl("https://must.example.com/"), "certificate required"},
		{"client certificate", s.curl("https://must.example.com/", "--cert", s.file("c.pem", client.Chain), "--key", s.file("c.key", client.Key)), "200"},
		{"another host than SNI", s.curl("https://shop.example.com/", "-H", "Host: must.example.com"), "421"},
		{"exact name", s.openssl("-servername", "shop.example.com"), "DNS:shop.example.com"},
		{"unknown name", s.openssl("-servername", "nobody.test"), "DNS:files.example.com"},
		{"ALPN", s.openssl("-servername", "shop.example.com", "-alpn", "http/1.1"), "ALPN protocol: http/1.1"},
		{"no protocol in common", s.openssl("-servername", "shop.example.com", "-alpn", "spdy/3"), "no application protocol"},
		{"TLS 1.1", s.openssl("-servername", "shop.example.com", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "protocol version"},
		{"resumption", s.openssl("-servername", "shop.example.com", "-tls1_2", "-reconnect"), "Reused, TLSv1.2"},
	} {
		if strings.HasPrefix(c.want, "DNS:") {
			c.got = names(t, c.got)
		}
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%s: %s\nwant %q", c.what, c.got, c.want)
		}
	}
	s.hidesKeys(exact.Key, must.Key)
	s.swaps(exact)
	s.readsFiles()
}

// names are the DNS names of the first certificate in what openssl printed.
func names(t *testing.T, text string) string {
	t.Helper()
	cmd := exec.Command("openssl", "x509", "-noout", "-ext", "subjectAltName")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s: %s", err, out, text)
	}
	return string(out)
}

// hidesKeys looks for private keys in everything that people can ask for.
func (s *secure) hidesKeys(keys ...string) {
	s.t.Helper()
	var all strings.Builder
	for _, path := range []string{"/objects", "/snapshot", "/tenants/acme/certificates", "/audit", "/problems", "/history?kind=Certificate&tenant=acme&name=exact"} {
		var out json.RawMessage
		if err := s.api(http.MethodGet, path, nil, &out); err != nil {
			s.t.Error(err)
		}
		all.Write(out)
	}
	for _, args := range [][]string{{"get", "certificates"}, {"get", "certificates", "-o", "yaml"}, {"get", "certificates", "-o", "json"}} {
		cmd := exec.Command(program(s.t, "sluice"), append(args, "--server", "http://"+s.admin)...)
		cmd.Env = append(os.Environ(), "SLUICE_TOKEN="+adminToken)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "shop.example.com") && args[len(args)-1] != "yaml" {
			s.t.Errorf("%v: %v\n%s", args, err, out)
		}
		all.Write(out)
	}
	all.WriteString(s.log.String())
	for _, k := range keys {
		if strings.Contains(all.String(), strings.Split(k, "\n")[1]) {
			s.t.Error("a private key is shown")
		}
	}
}

// swaps replaces a certificate under an open connection, which goes on.
func (s *secure) swaps(old certtest.Pair) {
	s.t.Helper()
	dial := func() *tls.Conn {
		c, err := tls.Dial("tcp", s.https, &tls.Config{RootCAs: s.ca.Pool, ServerName: "shop.example.com"})
		if err != nil {
			s.t.Fatal(err)
		}
		return c
	}
	open := dial()
	defer func() { _ = open.Close() }()
	s.apply(certificate("exact", s.ca.Issue(s.t, time.Now(), "shop.example.com"), ""))
	before := old.TLS(s.t)
	until(s.t, 30*time.Second, "new connections get the new certificate", func() error {
		c := dial()
		defer func() { _ = c.Close() }()
		if c.ConnectionState().PeerCertificates[0].Equal(before.Leaf) {
			return fmt.Errorf("still the old one")
		}
		return nil
	})
	_ = open.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprint(open, "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"); err != nil {
		s.t.Error(err)
	}
	b := make([]byte, 12)
	if n, err := open.Read(b); err != nil || string(b[:n]) != "HTTP/1.1 200" {
		s.t.Errorf("the open connection: %q, %v", b[:n], err)
	}
}

// readsFiles replaces the default certificate's files: a bad one is a problem, a good one
// comes into force.
func (s *secure) readsFiles() {
	s.t.Helper()
	problems := func() string {
		var out json.RawMessage
		if err := s.api(http.MethodGet, "/problems", nil, &out); err != nil {
			s.t.Fatal(err)
		}
		return string(out)
	}
	s.file("default.pem", "nonsense")
	until(s.t, 30*time.Second, "a bad file is a problem", func() error {
		if p := problems(); !strings.Contains(p, "files_invalid") {
			return fmt.Errorf("problems: %s", p)
		}
		return nil
	})
	if got := names(s.t, s.openssl("-servername", "nobody.test")); !strings.Contains(got, "DNS:files.example.com") {
		s.t.Errorf("after a bad file: %s", got)
	}
	s.ca.Issue(s.t, time.Now(), "new.example.com").Write(s.t, s.dir, "default")
	until(s.t, 30*time.Second, "a good file is in force", func() error {
		if got := names(s.t, s.openssl("-servername", "nobody.test")); !strings.Contains(got, "DNS:new.example.com") {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	if p := problems(); strings.Contains(p, "files_invalid") {
		s.t.Errorf("the problem stays: %s", p)
	}
}
