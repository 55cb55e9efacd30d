package health

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// A connection carries bytes both ways, over IPv4, IPv6 and addresses of both.
func TestConnect(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			closeQuietly(conn)
		}()
		conn, err := connect(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if conn.RemoteAddr().String() != ln.Addr().String() {
			t.Errorf("connected to %s, not %s", conn.RemoteAddr(), ln.Addr())
		}
		got := make([]byte, 4)
		if _, err := conn.Write([]byte("ping")); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "ping" {
			t.Errorf("%s: %q, %v", listen, got, err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		if _, err := conn.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read after the deadline: %v", err)
		}
		closeQuietly(conn)
		_ = ln.Close()
	}
}

// Closing frees the descriptor and leaves no TIME_WAIT: the peer sees a reset.
func TestConnectClosesWithAReset(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	conn, err := connect(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer closeQuietly(peer)
	closeQuietly(conn)
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads %v, want a reset", err)
	}
}

func TestConnectFailures(t *testing.T) {
	refused := freeport.Address(t)
	full := fullListener(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	soon, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	for name, c := range map[string]struct {
		ctx     context.Context
		address string
		want    error
	}{
		"nobody listens":         {t.Context(), refused, syscall.ECONNREFUSED},
		"no answer":              {soon, full, os.ErrDeadlineExceeded},
		"no time":                {ended, full, os.ErrDeadlineExceeded},
		"nowhere to be found":    {t.Context(), "255.255.255.255:80", syscall.ENETUNREACH},
		"an address that is not": {t.Context(), "db.test:80", nil},
	} {
		conn, err := connect(c.ctx, "tcp", c.address)
		if err == nil {
			closeQuietly(conn)
			t.Errorf("%s: connected", name)
		} else if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// fullListener is the address of a listener whose queue is full: the kernel drops what comes.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	for range 2 { // a queue of none takes one
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if conn, err := connect(ctx, "tcp", address); err == nil {
			t.Cleanup(func() { closeQuietly(conn) })
		}
		cancel()
	}
	return address
}
