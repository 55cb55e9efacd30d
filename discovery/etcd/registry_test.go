package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/store/storetest"
)

func upNow(s discovery.SourceStatus) bool { return s.Up && s.Error == "" }

// says waits for a status that is down and holds all of the words.
func says(words ...string) func(discovery.SourceStatus) bool {
	return func(s discovery.SourceStatus) bool {
		for _, w := range words {
			if !strings.Contains(s.Error, w) {
				return false
			}
		}
		return !s.Up
	}
}

// Three real members: one may die without anyone noticing, all may die without an instance
// being lost, and what happens afterwards is followed again.
func TestMembersDieAndComeBack(t *testing.T) {
	cluster := storetest.StartCluster(t, storetest.Options{})
	c := cluster.Client(t)
	f := follow(t, Config{
		Registry: &Registry{Endpoints: cluster.Endpoints}, Prefixes: []string{"/s/"},
		ProbeEvery: 100 * time.Millisecond, Answer: 2 * time.Second,
	})
	f.want("api=/s/api/", "mortal=/s/mortal/")
	put(t, c, "/s/api/1", `{"address":"10.0.0.1:80"}`)
	f.expect("api", "10.0.0.1:80*1")
	lease, err := c.Grant(t.Context(), 600)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "/s/mortal/1", `{"address":"10.0.1.1:80"}`, clientv3.WithLease(lease.ID))
	f.expect("mortal", "10.0.1.1:80*1")

	cluster.Kill(0)
	putSoon(t, c, "/s/api/2", `{"address":"10.0.0.2:80"}`)
	f.expect("api", "10.0.0.1:80*1 10.0.0.2:80*1")
	f.until("up with one member lost", upNow)

	cluster.Kill(1)
	cluster.Kill(2)
	f.until("down", says("no answer within", "connection refused"))
	f.quiet()
	cluster.Restart(t, 0, 1, 2)
	f.until("up again", upNow)
	f.quiet()
	putSoon(t, c, "/s/api/1", `{"address":"10.0.0.9:80"}`)
	f.expect("api", "10.0.0.2:80*1 10.0.0.9:80*1")
	if _, err := c.Revoke(t.Context(), lease.ID); err != nil {
		t.Fatal(err)
	}
	f.expect("mortal", "empty")
}

// putSoon puts as soon as the cluster has a leader.
func putSoon(t *testing.T, c *clientv3.Client, key, value string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := c.Put(ctx, key, value)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("put %s: %v", key, err)
		}
	}
}

// tokenSeconds is after how long a token lapses that nobody shows; etcd's default is five minutes.
const tokenSeconds = 2

// locked starts an etcd with TLS, client certificates and users: reader may read /s/ only.
func locked(t *testing.T) (*storetest.Cluster, *clientv3.Client) {
	t.Helper()
	cluster := storetest.StartCluster(t, storetest.Options{Members: 1, TLS: true, TokenSeconds: tokenSeconds})
	open := cluster.Client(t)
	put(t, open, "/s/api/1", `{"address":"10.0.0.1:80"}`)
	put(t, open, "/t/api/1", `{"address":"10.0.0.2:80"}`)
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(open.UserAdd(ctx, "root", "top"))
	must(open.RoleAdd(ctx, "root"))
	must(open.UserGrantRole(ctx, "root", "root"))
	must(open.UserAdd(ctx, "reader", "first"))
	must(open.RoleAdd(ctx, "services"))
	must(open.RoleGrantPermission(ctx, "services", "/s/", clientv3.GetPrefixRangeEnd("/s/"), clientv3.PermissionType(clientv3.PermRead)))
	must(open.UserGrantRole(ctx, "reader", "services"))
	must(open.AuthEnable(ctx))
	root, err := clientv3.New(clientv3.Config{Endpoints: cluster.Endpoints, TLS: tlsOf(t, cluster), Username: "root", Password: "top", DialTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return cluster, root
}

func secured(cluster *storetest.Cluster, username, passwordFile string) *Registry {
	return &Registry{Endpoints: cluster.Endpoints, CAFile: cluster.CAFile, CertFile: cluster.CertFile, KeyFile: cluster.KeyFile,
		Username: username, PasswordFile: passwordFile}
}

// A user that may read its prefix and nothing else is enough. A prefix that it may not read
// is told, and does not hold up the others; a new password is taken from the file.
func TestRightsOfTheUser(t *testing.T) {
	cluster, root := locked(t)
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "first\n")
	f := follow(t, Config{Registry: secured(cluster, "reader", file), ProbeEvery: 50 * time.Millisecond, Answer: 5 * time.Second})
	f.want("api=/s/api/")
	f.expect("api", "10.0.0.1:80*1")
	f.until("up", upNow)

	f.want("api=/s/api/", "other=/t/api/")
	f.until("told what it may not read", func(s discovery.SourceStatus) bool {
		return s.Up && strings.Contains(s.Error, `follow prefix "/t/api/"`) && strings.Contains(s.Error, `grant user "reader" to read that prefix`)
	})
	put(t, root, "/s/api/2", `{"address":"10.0.0.3:80"}`)
	f.expect("api", "10.0.0.1:80*1 10.0.0.3:80*1")
	f.want("api=/s/api/")
	f.until("up without the other", upNow)

	if _, err := root.UserChangePassword(t.Context(), "reader", "second"); err != nil {
		t.Fatal(err)
	}
	f.until("logged out", says(`as user "reader"`, "check username and passwordFile"))
	f.quiet()
	write(t, file, "second")
	f.until("logged in again", upNow)
	put(t, root, "/s/api/1", `{"address":"10.0.0.4:80"}`)
	f.expect("api", "10.0.0.3:80*1 10.0.0.4:80*1")
}

// The watch of a prefix that is wanted late does not need the token with which the others began.
func TestPrefixAfterTheTokenLapsed(t *testing.T) {
	cluster, root := locked(t)
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "first\n")
	f := follow(t, Config{Registry: secured(cluster, "reader", file), ProbeEvery: time.Hour})
	f.want("api=/s/api/")
	f.expect("api", "10.0.0.1:80*1")
	time.Sleep((streamAge + 2*tokenSeconds) * time.Second)
	put(t, root, "/s/late/1", `{"address":"10.0.0.5:80"}`)
	f.want("api=/s/api/", "late=/s/late/")
	f.expect("late", "10.0.0.5:80*1")
	for range 20 {
		if s := f.Status(); s.Error != "" {
			t.Fatal(s.Error)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// What can't be used is told in words of the person who mends it, and is used once it is
// mended.
func TestRegistryMistakes(t *testing.T) {
	cluster, _ := locked(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good"), "first")
	write(t, filepath.Join(dir, "wrong"), "guess")
	write(t, filepath.Join(dir, "empty"), "\n")
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, c := range map[string]struct {
		change func(*Registry)
		want   []string
		mended bool // by writing the right password
	}{
		"wrong password": {func(r *Registry) { r.PasswordFile = at("wrong") }, []string{`log in to etcd https://127.`, `as user "reader"`, "authentication failed"}, true},
		"empty password": {func(r *Registry) { r.PasswordFile = at("empty") }, []string{"passwordFile", "is empty"}, true},
		"no file yet":    {func(r *Registry) { r.PasswordFile = at("later") }, []string{"read passwordFile", "no such file"}, true},
		"no certificate": {func(r *Registry) { r.CertFile, r.KeyFile = "", "" }, []string{"no answer within", "check that etcd runs"}, false},
		"no authority":   {func(r *Registry) { r.CAFile = "" }, []string{"no answer within", "certificate signed by unknown authority"}, false},
		"no CA file":     {func(r *Registry) { r.CAFile = at("ca") }, []string{"read TLS files", at("ca")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := secured(cluster, "reader", at("good"))
			c.change(r)
			f := follow(t, Config{Registry: r, ProbeEvery: 50 * time.Millisecond, Answer: 2 * time.Second})
			f.until(name, says(c.want...))
			if f.quiet(); !c.mended {
				return
			}
			write(t, r.PasswordFile, "first")
			f.want("api=/s/api/")
			f.expect("api", "10.0.0.1:80*1")
			f.until("up", upNow)
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A prefix outside of what sluice.yaml allows is a problem of the upstream that asks for it.
func TestPrefixOutsideOfTheRegistrys(t *testing.T) {
	c := startEmbedded(t)
	put(t, c, "/s/api/1", `{"address":"10.0.0.1:80"}`)
	f := follow(t, Config{Client: c, Prefixes: []string{"/s/"}})
	f.want("api=/s/api/", "other=/t/api/")
	f.expect("api", "10.0.0.1:80*1")
	f.expect("other", fmt.Sprintf("declared ! prefix %q is outside of what the registry's prefixes in sluice.yaml allow: follow one below /s/", "/t/api/"))
}

func tlsOf(t *testing.T, c *storetest.Cluster) *tls.Config {
	t.Helper()
	conf, err := (&Registry{Endpoints: c.Endpoints, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}).tls()
	if err != nil {
		t.Fatal(err)
	}
	return conf
}
