package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/store"
)

const writerDir = "SLUICE_STORE_TEST_WRITER_DIR"

// writeForEver writes with several writers and prints each acknowledged write as "name
// revision", after it has been acknowledged.
func writeForEver(dir, round string) error {
	s, err := store.Open(context.Background(), store.Config{DataDir: dir, HistoryKeep: 1 << 20})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("w%d", w)
				obj, err := s.Put(context.Background(), tenant(name, fmt.Sprintf("%s-%d.example.com", round, i)), by)
				if err != nil {
					failed <- err
					return
				}
				// One write call, so lines of several writers do not mix.
				if _, err := fmt.Printf("%s %d %s-%d.example.com\n", name, obj.Head().Revision, round, i); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

type acknowledged struct {
	name     string
	revision int64
	host     string
}

func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	const kills = 20
	dir := t.TempDir()
	total := 0
	for round := range kills {
		began := time.Now()
		writes := killedWriter(t, dir, round)
		total += len(writes)
		if t.Failed() {
			return
		}
		check(t, dir, began, writes)
	}
	t.Logf("%d acknowledged writes, %d kills", total, kills)
	if total < kills {
		t.Errorf("only %d writes were acknowledged: the test shows nothing", total)
	}
}

// killedWriter runs a writer, kills it after its first write and a random time, and returns
// what it said was acknowledged.
func killedWriter(t *testing.T, dir string, round int) []acknowledged {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir, fmt.Sprintf("SLUICE_STORE_TEST_ROUND=%d", round))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var writes []acknowledged
	var kill *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a acknowledged
		// Lines are whole: a pipe takes a short write in one piece.
		if _, err := fmt.Sscanf(lines.Text(), "%s %d %s", &a.name, &a.revision, &a.host); err != nil {
			t.Fatalf("writer printed %q: %v", lines.Text(), err)
		}
		writes = append(writes, a)
		if kill == nil {
			kill = time.AfterFunc(rand.N(100*time.Millisecond), func() { _ = cmd.Process.Kill() }) // it may have ended, which Wait tells
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Errorf("round %d: the writer was not killed but ended: %v", round, err)
	}
	return writes
}

// check opens what the dead process left.
func check(t *testing.T, dir string, since time.Time, writes []acknowledged) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	type key struct {
		name     string
		revision int64
	}
	kept := map[key]string{}
	audited := map[int64]bool{}
	records, err := s.Audit(t.Context(), since, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		audited[r.Revision] = true
	}
	for w := range 4 {
		ref := tenant(fmt.Sprintf("w%d", w)).Ref()
		history, err := s.History(t.Context(), ref)
		if err != nil {
			continue // this writer had no write acknowledged yet; if it had, the loop below says so
		}
		for _, e := range history {
			kept[key{ref.Name, e.Revision}] = e.Object.(*gateway.Tenant).Spec.Hosts[0]
		}
		now, err := s.Get(t.Context(), ref)
		if err != nil || now.Head().Revision != history[0].Revision {
			t.Errorf("%s is %+v, %v; its history ends at %d", ref, now, err, history[0].Revision)
		}
	}
	for _, a := range writes {
		if kept[key{a.name, a.revision}] != a.host || !audited[a.revision] {
			t.Errorf("acknowledged write %+v is lost: history has %q, audited: %v", a, kept[key{a.name, a.revision}], audited[a.revision])
		}
	}
}
