package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/test/freeport"
	"github.com/sluice-gateway/sluice/test/kubetest"
)

// inOwnNetwork runs the calling test again in a network namespace of its own, where addresses
// of the range for benchmarks (RFC 2544) are on loopback: EndpointSlices can't hold those of
// 127.0.0.0/8. It returns true in there, and false when the inner run is over.
func inOwnNetwork(t *testing.T, addresses ...string) bool {
	t.Helper()
	const inside = "SLUICE_E2E_NAMESPACE"
	if os.Getenv(inside) != "" {
		commands := []string{"link set lo up"}
		for _, a := range addresses {
			commands = append(commands, "addr add "+a+"/32 dev lo")
		}
		for _, args := range commands {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v %s", args, err, out)
			}
		}
		return true
	}
	program(t, "sluice") // built outside: the inner process builds its own from the same cache
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=8m")
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "figure ") {
			fmt.Print(line)
		}
	}
	if err != nil {
		t.Fatalf("in the namespace: %v\n%s", err, out)
	}
	return false
}

const ingressTenant = `
kind: Tenant
name: acme
spec: {hosts: [shop.example.com, annotated.example.com]}
`

// what people write in the cluster, in the order in which nothing is there yet.
const shopIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: web}
spec:
  ingressClassName: sluice
  tls: [{hosts: [shop.example.com], secretName: cert}]
  rules:
  - host: shop.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 80}}}}
      - {path: /two, pathType: Prefix, backend: {service: {name: two, port: {name: http}}}}
      - {path: /exact, pathType: Exact, backend: {service: {name: two, port: {name: http}}}}
      - {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}`

// Ingresses of a real kube-apiserver reach traffic; addresses and events go back, with the
// rights of deploy/kubernetes/rbac.yaml.
func TestIngressToTraffic(t *testing.T) {
	if !inOwnNetwork(t, "198.18.0.1", "198.18.0.2") {
		return
	}
	kube := kubetest.Start(t)
	kube.CreateFile("../../deploy/kubernetes/rbac.yaml")
	kube.CreateFile("../../deploy/kubernetes/ingressclass.yaml")
	kube.Create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: acme}}")
	https := freeport.Address(t)
	s := configure(t, fmt.Sprintf(`kubernetes:
  - name: default
    kubeconfig: %q
    ingress: {addresses: [192.0.2.7], tenants: [{selector: team=acme, tenant: acme}]}
objects: [%s]
`, kube.Account("sluice", "sluice"), objectFile(t, ingressTenant)))
	s.listen(fmt.Sprintf("{name: https, address: %q, tls: {}}", https))
	s.start()

	for i, name := range []string{"one", "two"} {
		address := fmt.Sprintf("198.18.0.%d", i+1)
		backend(t, name, address+":8081")
		kube.CreateService("shop", name, corev1.ServicePort{Name: "http", Port: 80})
		slice := sliceOf(address + ":8081")
		slice.Name, slice.Labels["kubernetes.io/service-name"] = name+"-1", name
		kube.CreateSlice(slice)
	}
	kube.Create(secretYAML(t, "shop.example.com"))
	kube.Create(shopIngress)
	s.expectPath("shop.example.com", "/", "one", 200)
	for _, c := range []struct {
		path, name string
		status     int
	}{{"/any", "one", 200}, {"/two", "two", 200}, {"/two/", "two", 200}, {"/twofold", "one", 200}, {"/exact", "two", 200}, {"/exact/", "one", 200}, {"/gone/x", "", 503}} {
		s.expectPath("shop.example.com", c.path, c.name, c.status)
	}
	s.expectPath("annotated.example.com", "/", "", 404)
	kube.Patch("/api/v1/namespaces/shop/services/two", `metadata: {annotations: {"sluice.io/host": annotated.example.com}}`)
	s.expectPath("annotated.example.com", "/", "two", 200)
	s.expectHTTPS(https, "shop.example.com", "one")
	expectBack(t, kube)
	expectDerived(t, s)

	kube.Delete("/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web")
	s.expectPath("shop.example.com", "/", "", 404)
	if strings.Contains(s.log.String(), "PRIVATE KEY") {
		t.Errorf("a private key is in the log:\n%s", s.log)
	}
}

// listen adds a listener to sluice.yaml.
func (s *instance) listen(listener string) {
	s.t.Helper()
	path := s.dir + "/sluice.yaml"
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), "}]\nadmin:", "}, "+listener+"]\nadmin:", 1)), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// expectPath waits until a request is answered by that backend with that status.
func (s *instance) expectPath(host, path, want string, status int) {
	s.t.Helper()
	until(s.t, time.Minute, host+path, func() error {
		name, got, err := ask(http.DefaultClient, "http://"+s.http+path, host)
		if err != nil || name != want || got != status {
			return fmt.Errorf("answered by %q with %d, %w; want %q and %d\n%s", name, got, err, want, status, s.log)
		}
		return nil
	})
}

// expectHTTPS waits until the Secret's certificate is shown, and asks under it.
func (s *instance) expectHTTPS(address, host, want string) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true, //nolint:gosec // it signs itself; its name is compared below
			VerifyConnection: func(c tls.ConnectionState) error { return c.PeerCertificates[0].VerifyHostname(host) }}}}
	until(s.t, time.Minute, "https", func() error {
		name, status, err := ask(client, "https://"+address+"/", host)
		if err != nil || name != want || status != 200 {
			return fmt.Errorf("answered by %q with %d, %w", name, status, err)
		}
		return nil
	})
}

func ask(client *http.Client, url, host string) (name string, status int, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", 0, err
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Backend"), resp.StatusCode, nil
}

// expectBack waits until the API shows the address and the event for the missing Service.
func expectBack(t *testing.T, kube *kubetest.Cluster) {
	t.Helper()
	until(t, time.Minute, "address in the status", func() error {
		var i networkingv1.Ingress
		if err := kube.Get("/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web", &i); err != nil {
			return err
		}
		if a := i.Status.LoadBalancer.Ingress; len(a) != 1 || a[0].IP != "192.0.2.7" {
			return fmt.Errorf("addresses %+v", a)
		}
		return nil
	})
	until(t, time.Minute, "event", func() error {
		var list eventsv1.EventList
		if err := kube.Get("/apis/events.k8s.io/v1/namespaces/shop/events", &list); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Kind == "Ingress" && e.Regarding.Name == "web" && e.Reason == "ServiceMissing" && strings.Contains(e.Note, `no Service "gone"`) {
				return nil
			}
		}
		return fmt.Errorf("%d events, none of them about the missing Service", len(list.Items))
	})
}

// expectDerived looks at what was made of the Ingress as people do, who can't change it here.
func expectDerived(t *testing.T, s *instance) {
	t.Helper()
	var routes struct {
		Items []struct {
			Name        string
			DerivedFrom struct{ Source, Cluster, Namespace, Kind, Name string }
		}
	}
	if err := s.api("GET", "/tenants/acme/routes", nil, &routes); err != nil || len(routes.Items) < 3 {
		t.Fatalf("routes %+v, %v", routes, err)
	}
	first := routes.Items[len(routes.Items)-1] // those of the Service sort before
	if d := first.DerivedFrom; d.Source != "kubernetes/default" || d.Cluster != "default" || d.Kind != "Ingress" || d.Namespace != "shop" || d.Name != "web" {
		t.Errorf("%s is from %+v", first.Name, d)
	}
	err := s.api("DELETE", "/tenants/acme/routes/"+first.Name, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "made from Ingress shop/web of cluster default: change it there") {
		t.Errorf("a deletion: %v", err)
	}
	if out, err := s.command("get", "upstreams"); err != nil || !strings.Contains(out, "default.shop.one.80") || !strings.Contains(out, "Service shop/one of cluster default") {
		t.Errorf("sluice get upstreams:\n%s", out)
	}
	var problems struct{ Items []struct{ Code string } }
	if err := s.api("GET", "/problems?tenant=acme", nil, &problems); err != nil || len(problems.Items) != 1 || problems.Items[0].Code != "service_missing" {
		t.Errorf("problems of the tenant: %+v, %v", problems, err)
	}
	var status struct{ Sources []struct{ Name string } }
	if err := s.api("GET", "/status", nil, &status); err != nil || fmt.Sprint(status.Sources) != "[{dns/default} {etcd/default} {kubernetes/default} {kubernetes/default/ingress}]" {
		t.Errorf("sources %v, %v", status.Sources, err)
	}
}

// secretYAML is a Secret with a certificate for host that signs itself.
func secretYAML(t *testing.T, host string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: shop, name: cert}\ntype: kubernetes.io/tls\nstringData: {tls.crt: %q, tls.key: %q}",
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}
