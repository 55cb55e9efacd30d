package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var haproxy = peer{
	name:         "haproxy",
	files:        map[string]string{"haproxy.cfg": "haproxy.cfg", "hosts.map": "haproxy.map"},
	program:      func(t tools) string { return t.haproxy },
	args:         func(s site) []string { return []string{"-db", "-f", filepath.Join(s.Dir, "haproxy.cfg")} },
	version:      []string{"-v"},
	logsToOutput: true,
	setEndpoints: setHAProxyEndpoints,
	moveHost: func(ctx context.Context, c *contender) error {
		h := c.site.Hosts[0]
		return askHAProxy(ctx, c.site, fmt.Sprintf("set map %s %s %s", filepath.Join(c.site.Dir, "hosts.map"), h.Name, h.Upstream))
	},
}

// setHAProxyEndpoints takes the spare server in or out, over the runtime API.
func setHAProxyEndpoints(ctx context.Context, c *contender) error {
	state := "maint"
	if len(c.site.Upstreams[0].Endpoints) > 1 {
		state = "ready"
	}
	return askHAProxy(ctx, c.site, "set server u0/spare state "+state)
}

// askHAProxy sends one command. HAProxy answers with an empty line when it has done it.
func askHAProxy(ctx context.Context, s site, command string) error {
	var dialer net.Dialer
	nc, err := dialer.DialContext(ctx, "unix", filepath.Join(s.Dir, "admin.sock"))
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(readyTime))
	if _, err := io.WriteString(nc, command+"\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(nc)
	if err == nil && strings.TrimSpace(string(answer)) != "" {
		err = fmt.Errorf("%s: %s", command, answer)
	}
	return err
}

// joinPEM makes the one file with certificate and key that HAProxy reads.
func joinPEM(name string, parts ...[]byte) error {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return os.WriteFile(name, all, 0o600)
}
