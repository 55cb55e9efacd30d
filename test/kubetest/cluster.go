package kubetest

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// patience bounds every wait for a process: seconds on a free machine, more on a busy one.
const patience = 2 * time.Minute

// Cluster is a running kube-apiserver with its etcd.
type Cluster struct {
	// Kubeconfig is the path of a file with administrator's rights. It stays valid when the
	// API server is stopped and started again.
	Kubeconfig string

	tb        testing.TB
	bin, dir  string
	etcdPort  int
	apiPort   int
	etcd, api *process
	second    *process         // another API server; nil: none
	core      *rest.RESTClient // namespaces, Services
	discovery *rest.RESTClient // EndpointSlices
}

// Start runs a cluster for one test and waits until it is ready, which takes about three
// seconds when the binaries are built. It ends with the test.
func Start(tb testing.TB) *Cluster {
	tb.Helper()
	bin, err := binaries(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	c := &Cluster{tb: tb, bin: bin}
	tb.Cleanup(c.stop)
	if err := c.start(tb.TempDir()); err != nil {
		tb.Fatalf("start a Kubernetes API: %v", err)
	}
	return c
}

func (c *Cluster) start(dir string) error {
	c.dir = dir
	if err := writeKeys(dir); err != nil {
		return err
	}
	c.etcdPort, c.apiPort = freeport.Port(c.tb), freeport.Port(c.tb)
	var err error
	if c.Kubeconfig, err = writeKubeconfig(dir, c.apiPort); err != nil {
		return err
	}
	if c.core, c.discovery, err = c.clientsAt(c.apiPort); err != nil {
		return err
	}
	if err := c.startEtcd(freeport.Port(c.tb)); err != nil {
		return err
	}
	c.api, err = c.startAPI(c.apiPort, c.core)
	return err
}

func (c *Cluster) startEtcd(peerPort int) error {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort), fmt.Sprintf("http://127.0.0.1:%d", peerPort)
	p, err := startProcess(c.bin, c.dir, "etcd",
		"--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	if err != nil {
		return err
	}
	c.etcd = p
	return p.waitUntil(patience, func() error { return ask(client + "/health") })
}

// ask expects an answer of 200.
func ask(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// startAPI starts an API server on port and waits until client says that it is ready.
func (c *Cluster) startAPI(port int, client *rest.RESTClient) (*process, error) {
	file := func(name string) string { return filepath.Join(c.dir, name) }
	p, err := startProcess(c.bin, c.dir, "kube-apiserver",
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", c.etcdPort),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+file("tls.crt"), "--tls-private-key-file="+file("tls.key"),
		"--service-account-issuer=https://kubetest.invalid",
		"--service-account-key-file="+file("sa.key"), "--service-account-signing-key-file="+file("sa.key"),
		"--token-auth-file="+file("tokens.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=198.19.0.0/16",
		"--endpoint-reconciler-type=none",            // a loopback address is no valid endpoint
		"--disable-admission-plugins=ServiceAccount") // no controller makes the default accounts
	if err != nil {
		return nil, err
	}
	err = p.waitUntil(patience, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return client.Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err != nil {
		p.stop(0)
		return nil, err
	}
	return p, nil
}

// StopAPI ends the API server and leaves its etcd running: what clients see while a
// control plane is upgraded. Asked politely it would wait a minute for open watches, so it
// is killed after a moment.
func (c *Cluster) StopAPI() {
	c.api.stop(500 * time.Millisecond)
	c.api = nil
}

// StartAPI starts the API server again, at the same address, and waits until it is ready.
func (c *Cluster) StartAPI() {
	c.tb.Helper()
	core, discovery, err := c.clientsAt(c.apiPort)
	if err == nil {
		c.api, err = c.startAPI(c.apiPort, core)
		core.Client.CloseIdleConnections()
		discovery.Client.CloseIdleConnections()
	}
	if err != nil {
		c.tb.Fatalf("start the API server again: %v", err)
	}
}

// StartSecond starts another API server of the same cluster, as one with several masters has,
// and has all further writes go through it: objects can then change while the one that the
// kubeconfig names is stopped.
func (c *Cluster) StartSecond() {
	c.tb.Helper()
	port := freeport.Port(c.tb)
	var err error
	if c.core, c.discovery, err = c.clientsAt(port); err == nil {
		c.second, err = c.startAPI(port, c.core)
	}
	if err != nil {
		c.tb.Fatalf("start a second API server: %v", err)
	}
}

func (c *Cluster) clientsAt(port int) (core, discovery *rest.RESTClient, err error) {
	config, err := clientcmd.BuildConfigFromFlags(fmt.Sprintf("https://127.0.0.1:%d", port), c.Kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS = -1 // client-go's own limit is five requests a second
	return clients(config)
}

// stop ends both processes. Nothing has to be kept, so there is no patience either.
func (c *Cluster) stop() {
	for _, p := range []*process{c.api, c.second, c.etcd} {
		if p != nil {
			p.stop(0)
		}
	}
	c.api, c.second, c.etcd = nil, nil, nil
	for _, client := range []*rest.RESTClient{c.core, c.discovery} {
		if client != nil {
			client.Client.CloseIdleConnections()
		}
	}
}
