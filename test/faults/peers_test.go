package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// The peers get the numbers that Sluice gets, where they have a place for them: the time of one
// try, the number of tries, the errors in a row that take an endpoint out and for how long, and
// the checks. nginx of Debian has no active checks. HAProxy watches answers too.
const nginxConfig = `daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    upstream api {
        zone api 64k;
%[3]s        keepalive 32;
    }
    server {
        listen %[2]s;
        location / {
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_connect_timeout %[4]s;
            proxy_send_timeout %[4]s;
            proxy_read_timeout %[4]s;
            proxy_next_upstream error timeout invalid_header http_502 http_503 http_504;
            proxy_next_upstream_tries %[5]d;
        }
    }
}
`

const haproxyConfig = `global
    nbthread 1
    maxconn 4000
defaults
    mode http
    http-reuse safe
    timeout connect %[2]s
    timeout client 10s
    timeout server %[2]s
    timeout check %[2]s
    option redispatch 1
    retries %[3]d
    retry-on conn-failure empty-response response-timeout 502 503 504
frontend clients
    bind %[1]s
    http-request disable-l7-retry if METH_POST
    default_backend api
backend api
    option httpchk GET /healthz
    default-server check inter %[4]s fastinter 200ms fall 2 rise 2 observe layer7 error-limit %[5]d on-error mark-down
%[6]s`

func startNginx(t *testing.T, endpoints []*endpoint) string {
	t.Helper()
	dir, address := t.TempDir(), freeport.Address(t)
	var servers strings.Builder
	for _, e := range endpoints {
		fmt.Fprintf(&servers, "        server %s max_fails=%d fail_timeout=%s;\n", e.address, ejectedAfter, firstEjection)
	}
	file := filepath.Join(dir, "nginx.conf")
	write(t, file, fmt.Sprintf(nginxConfig, dir, address, &servers, perTry, attempts))
	startPeer(t, "nginx", "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	return "http://" + address + "/"
}

func startHAProxy(t *testing.T, endpoints []*endpoint) string {
	t.Helper()
	dir, address := t.TempDir(), freeport.Address(t)
	var servers strings.Builder
	for _, e := range endpoints {
		fmt.Fprintf(&servers, "    server %s %s\n", e.name, e.address)
	}
	file := filepath.Join(dir, "haproxy.cfg")
	write(t, file, fmt.Sprintf(haproxyConfig, address, perTry, attempts-1, probeEvery, ejectedAfter, &servers))
	startPeer(t, "haproxy", "-f", file)
	return "http://" + address + "/"
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startPeer runs a program of Debian's until the end of the test.
func startPeer(t *testing.T, name string, args ...string) {
	t.Helper()
	file, err := exec.LookPath(name)
	if err != nil {
		file = "/usr/sbin/" + name
	}
	cmd := exec.Command(file, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: `make packages` installs it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it says how it was ended
	})
}
