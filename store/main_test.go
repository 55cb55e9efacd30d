package store_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
)

// TestMain lets the test binary be the process that gets killed or meets a full disk.
func TestMain(m *testing.M) {
	if dir := os.Getenv(fullDiskDir); dir != "" {
		if err := writeUntilFull(dir); err != nil {
			fmt.Fprintln(os.Stderr, "full disk:", err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(writerDir); dir != "" {
		if err := writeForEver(dir, os.Getenv("SLUICE_STORE_TEST_ROUND")); err != nil {
			fmt.Fprintln(os.Stderr, "writer:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// textLog writes a log that may be read while it is written, by those who lock it.
func textLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(&lockedWriter{w: w}, nil))
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
