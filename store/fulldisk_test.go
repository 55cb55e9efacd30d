package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/store"
)

const fullDiskDir = "SLUICE_STORE_TEST_FULL_DISK_DIR"

// writeUntilFull runs in a process of its own, in which no file may grow beyond 6 MB: what
// etcd sees is what it sees on a full disk. It answers with log.Fatal, which would end a
// proxy that still could serve.
func writeUntilFull(dir string) error {
	s, err := store.Open(context.Background(), store.Config{DataDir: dir})
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 6 << 20, Max: 6 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	pad := strings.Repeat("x", 200_000)
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = s.Put(context.Background(), tenant(fmt.Sprintf("t%d", n), pad), by)
		if err == nil {
			fmt.Println("written", n)
		}
	}
	fmt.Println("first error:", err)
	if !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("not ErrUnavailable: %w", err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err = s.Put(context.Background(), tenant("later"), by); err != nil && strings.Contains(err.Error(), "check the disk of "+dir) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the error of later calls does not say what to check: %w", err)
		}
	}
	began := time.Now()
	_ = s.Close() // its error is about the same disk
	if took := time.Since(began); took > 30*time.Second {
		return fmt.Errorf("close took %s", took)
	}
	fmt.Println("alive, last error:", err)
	return nil
}

func TestFullDiskLeavesTheProcessAlive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // shows where it hangs
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), fullDiskDir+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "alive, last error: ") {
		t.Fatalf("%v\n%s", err, out)
	}
	written := strings.Count(string(out), "written ")
	s, err := store.Open(t.Context(), store.Config{DataDir: dir})
	if err != nil {
		t.Fatalf("reopen with room on the disk: %v\n%s", err, out)
	}
	objs, _, err := s.List(t.Context(), "", "")
	// The write that failed may have been done or not.
	if err != nil || len(objs) < written || len(objs) > written+2 || written == 0 {
		t.Errorf("%d objects, %v; %d were acknowledged", len(objs), err, written)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenOnDamagedData(t *testing.T) {
	dir := t.TempDir()
	snap := filepath.Join(dir, "etcd", "member", "snap")
	if err := os.MkdirAll(snap, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(snap, "db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Config{DataDir: dir, Log: textLog(t.Output())})
	if err == nil || !strings.Contains(err.Error(), "start embedded etcd in "+filepath.Join(dir, "etcd")) || !strings.Contains(err.Error(), "invalid database") {
		t.Errorf("Open on a damaged database: %v", err)
	}
}
