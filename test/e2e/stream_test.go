package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// speaker is a TCP server that says its name and then repeats what it hears.
func speaker(t *testing.T, name string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.WriteString(c, name+"\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

// spokenBy opens a connection and reads who is there.
func spokenBy(address string) (net.Conn, *bufio.Reader, string, error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, nil, "", err
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	name, err := r.ReadString('\n')
	return c, r, strings.TrimSpace(name), err
}

// TestS32StreamPort: what is behind a TCP port is swapped while the port stays open. A
// connection that was open goes on, new ones go to the new server, a server that is gone is
// passed over, and the port is closed with its upstream.
func TestS32StreamPort(t *testing.T) {
	a, b := speaker(t, "a"), speaker(t, "b")
	address := freeport.Address(t)
	_, port, _ := net.SplitHostPort(address)
	objects := objectFile(t, "kind: Tenant\nname: upyun\nspec: {hosts: ['*'], ports: ['"+port+"']}")
	s := slardar{configure(t, "objects: ["+objects+"]\nstreams: {address: 127.0.0.1}\n")}
	file := s.dir + "/sluice.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "admin: {", "admin: {slardar: {tenant: upyun}, ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	reaches := func(want string) {
		t.Helper()
		until(t, 30*time.Second, "port "+port, func() error {
			c, _, name, err := spokenBy(address)
			if c != nil {
				_ = c.Close()
			}
			if err == nil && name != want {
				err = fmt.Errorf("it is %q", name)
			}
			return err
		})
	}
	post := func(body string) {
		t.Helper()
		if r := s.curl(http.MethodPost, "/stream/upstream/"+port, body); r.Status != 200 {
			t.Fatalf("%+v", r)
		}
	}
	post("{" + servers(a) + "}")
	reaches("a")
	old, r, name, err := spokenBy(address)
	if err != nil || name != "a" {
		t.Fatal(name, err)
	}
	defer func() { _ = old.Close() }()
	post("{" + servers(b) + "}")
	reaches("b")
	if _, err := io.WriteString(old, "still here\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); err != nil || line != "still here\n" {
		t.Errorf("%q, %v", line, err)
	}
	post("{" + servers(freeport.Address(t), b) + "}")
	for range 10 {
		c, _, name, err := spokenBy(address)
		if err != nil || name != "b" {
			t.Errorf("%q, %v", name, err)
		}
		if c != nil {
			_ = c.Close()
		}
	}
	if r := s.curl(http.MethodDelete, "/stream/upstream/"+port, ""); r.Status != 200 {
		t.Fatalf("%+v", r)
	}
	until(t, 30*time.Second, "the port is closed", func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return errors.New("it is open")
		}
		return nil
	})
}
