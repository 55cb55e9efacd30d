package origin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	return beginWith(t, Config{Kind: kind, Answer: 100})
}

func beginWith(t *testing.T, c Config) (listen, status string) {
	t.Helper()
	for _, address := range []*string{&listen, &status} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*address = ln.Addr().String()
		_ = ln.Close()
	}
	c.Listen, c.Status = listen, status
	go func() { _ = Run(c) }()
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

// A real HTTP client gets the body of every GET over one connection, also when heads come in pieces
// or together, and nothing else is taken.
func TestHTTP(t *testing.T) {
	listen, status := beginWith(t, Config{Kind: "http", Body: "yyy"})
	for range 3 {
		answer, err := http.Get("http://" + listen + "/a?b")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		date, bad := http.ParseTime(answer.Header.Get("Date"))
		if err != nil || answer.StatusCode != 200 || string(body) != "yyy" || bad != nil || time.Since(date).Abs() > time.Minute {
			t.Fatalf("%s %q, date %v %v: %v", answer.Status, body, date, bad, err)
		}
	}
	nc, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(nc)
	for i, piece := range []string{"GET / HTTP/1.1\r\nHo", "st: x\r\n\r", "\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"} {
		if _, err := nc.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // so that it is read by itself
		for range []int{0, 0, 3, 1}[i] {
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if want := []int{200, 405}[i/3]; err != nil || answer.StatusCode != want || want == 200 && string(body) != "yyy" {
				t.Errorf("piece %d: %s, %q, %v", i, answer.Status, body, err)
			}
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after a POST: %v", err)
	}
	if n := count(t, status); n != 6 {
		t.Errorf("%d requests were counted", n)
	}
}
