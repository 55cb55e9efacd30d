package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// raw passes messages of gRPC through as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte{}, data...); return nil }
func (raw) Name() string                       { return "raw" }

// begin runs an origin and returns its two addresses.
func begin(t *testing.T, kind string) (listen, status string) {
	t.Helper()
	for _, address := range []*string{&listen, &status} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*address = ln.Addr().String()
		_ = ln.Close()
	}
	go func() { _ = Run(Config{Kind: kind, Listen: listen, Status: status, Answer: 100}) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		nc, err := net.Dial("tcp", listen)
		if err == nil {
			_ = nc.Close()
			if nc, err = net.Dial("tcp", status); err == nil {
				_ = nc.Close()
				return listen, status
			}
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, status string) (n int) {
	t.Helper()
	answer, err := http.Get("http://" + status + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var line string
	if _, err := fmt.Fscanf(answer.Body, "server accepts handled requests\n 0 0 %d %s", &n, &line); err != nil && n == 0 {
		t.Fatal(err)
	}
	return n
}

// A real gRPC client understands the origin, also beyond the windows that it begins with.
func TestGRPC(t *testing.T) {
	listen, status := begin(t, "grpc")
	client, err := grpc.NewClient(listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const calls = 2000 // with a message of 1000 bytes each
	done := make(chan error, 50)
	for range cap(done) {
		go func() {
			var err error
			for range calls / cap(done) {
				question, answer := make([]byte, 1000), []byte(nil)
				if err = client.Invoke(ctx, "/bench/Call", &question, &answer, grpc.ForceCodec(raw{})); err != nil {
					break
				}
				if len(answer) != 100 {
					err = fmt.Errorf("%d bytes", len(answer))
					break
				}
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, status); n != calls {
		t.Errorf("%d calls were counted", n)
	}
}

func TestUnknownKind(t *testing.T) {
	if err := Run(Config{Kind: "ftp"}); err == nil || !strings.Contains(err.Error(), `"ftp"`) {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var busy *net.OpError
	if err := Run(Config{Kind: "grpc", Listen: ln.Addr().String()}); !errors.As(err, &busy) {
		t.Errorf("on a port in use: %v", err)
	}
}
