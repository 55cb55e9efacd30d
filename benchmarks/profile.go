package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// profile takes a CPU profile of Sluice during a load of that many seconds, if profiles are
// wanted. The returned function waits for it to be written.
func (c *contender) profile(ctx context.Context, seconds int) (wait func() error) {
	if c.st.profiles == "" || c.name != sluice.name || seconds < 2 {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		text, err := fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", c.site.Ops, seconds-1))
		if err == nil {
			err = os.MkdirAll(c.st.profiles, 0o755)
		}
		if err == nil {
			name := fmt.Sprintf("%s-%d.pb.gz", c.st.sc.Name, time.Now().UnixNano())
			err = os.WriteFile(filepath.Join(c.st.profiles, name), []byte(text), 0o644)
		}
		done <- err
	}()
	return func() error {
		if err := <-done; err != nil {
			return fmt.Errorf("profile of %s: %w", c.name, err)
		}
		return nil
	}
}
