package health

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

const (
	// archivePart is how large a file of the archive grows, in bytes. There are two: the present
	// one and the one before.
	archivePart = 8 << 20
	// archiveWaiting bounds the events that wait to be written; what comes on top is lost.
	archiveWaiting = 4096
	// archiveLine bounds a line that is read back: an event with ten samples has a few kilobytes.
	archiveLine = 1 << 20
	// archiveEvery is how often what waits is written and synced, so that a storm costs one sync
	// a second.
	archiveEvery = time.Second
)

// Archive keeps a ledger's events in files, one event in JSON on each line, so that they outlive
// the process. Writing happens in the background: nobody waits for a disk, and a disk that is
// full costs evidence and nothing else.
type Archive struct {
	dir  string
	part int64 // bytes; tests make it smaller
	log  *slog.Logger
	wake chan struct{}

	mu      sync.Mutex
	waiting []gateway.HealthEvent // guarded by mu
	lost    uint64                // guarded by mu
	failing bool                  // guarded by mu: told of already

	// Of the goroutine of run.
	file *os.File
	size int64
	torn bool // the last write failed half-way
}

// OpenArchive opens the archive in a directory, which it makes, and returns the events of the last
// day that are in it, oldest first. Lines that can't be read, such as one that a crash cut off, are
// left out. What is returned is written anew to one file.
func OpenArchive(dir string, now time.Time, log *slog.Logger) (*Archive, []gateway.HealthEvent, error) {
	a := &Archive{dir: dir, part: archivePart, log: log, wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("health ledger: %w", err)
	}
	var events []gateway.HealthEvent
	bad := 0
	for _, name := range []string{a.before(), a.present()} {
		more, unread, err := readEvents(name)
		if err != nil {
			return nil, nil, fmt.Errorf("health ledger: %w", err)
		}
		events, bad = append(events, more...), bad+unread
	}
	events = slices.DeleteFunc(events, func(e gateway.HealthEvent) bool { return now.Sub(e.At) > ledgerAge || e.At.After(now.Add(time.Hour)) })
	slices.SortStableFunc(events, func(x, y gateway.HealthEvent) int { return x.At.Compare(y.At) })
	if len(events) > ledgerAll {
		events = events[len(events)-ledgerAll:]
	}
	if bad > 0 {
		log.Warn("lines of the health ledger could not be read and are left out", "dir", dir, "lines", bad)
	}
	return a, events, a.begin(events)
}

func (a *Archive) present() string { return filepath.Join(a.dir, "events.jsonl") }
func (a *Archive) before() string  { return filepath.Join(a.dir, "events.1.jsonl") }

// readEvents reads a file, which may be missing, and counts the lines that are no events.
func readEvents(name string) (events []gateway.HealthEvent, bad int, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := readLine(r)
		var e gateway.HealthEvent
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case json.Unmarshal(line, &e) != nil || e.Upstream.Name == "" || e.At.IsZero():
			bad++
		default:
			events = append(events, e)
		}
		if errors.Is(err, io.EOF) {
			return events, bad, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// readLine reads a line. Of one that is too long to be an event only the beginning is kept.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) <= archiveLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// begin writes the events to one fresh file, in whose place a crash leaves the old ones.
func (a *Archive) begin(events []gateway.HealthEvent) error {
	left, _ := filepath.Glob(filepath.Join(a.dir, ".events-*")) // by crashes; the pattern is good
	for _, name := range left {
		_ = os.Remove(name) // the next start tries again
	}
	f, err := os.CreateTemp(a.dir, ".events-*")
	if err != nil {
		return fmt.Errorf("health ledger: %w", err)
	}
	text := encodeEvents(events)
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), a.present())
	}
	if err != nil {
		return fmt.Errorf("health ledger: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	if err := os.Remove(a.before()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("health ledger: %w", errors.Join(err, f.Close()))
	}
	a.file, a.size = f, int64(len(text))
	return syncDir(a.dir)
}

// syncDir makes renames in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("health ledger: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("health ledger: %w", err)
	}
	return nil
}

func encodeEvents(events []gateway.HealthEvent) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for i := range events {
		if err := enc.Encode(&events[i]); err != nil { // a number that JSON does not have
			continue
		}
	}
	return out.Bytes()
}

// add hands events over to be written. It never waits.
func (a *Archive) add(events []gateway.HealthEvent) {
	a.mu.Lock()
	room := archiveWaiting - len(a.waiting)
	if len(events) > room {
		a.lost += uint64(len(events) - room)
		events = events[:room]
	}
	a.waiting = append(a.waiting, events...)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run writes what is handed over until ctx ends, and then what is left.
func (a *Archive) run(ctx context.Context) {
	defer func() { _ = a.file.Close() }() // it is synced
	for {
		select {
		case <-ctx.Done():
			a.flush()
			return
		case <-a.wake:
		}
		a.flush()
		select {
		case <-ctx.Done():
		case <-time.After(archiveEvery):
		}
	}
}

// flush writes and syncs what waits.
func (a *Archive) flush() {
	a.mu.Lock()
	events := a.waiting
	a.waiting = nil
	a.mu.Unlock()
	if len(events) == 0 {
		return
	}
	err := a.write(encodeEvents(events))
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.lost += uint64(len(events))
		if !a.failing {
			a.log.Error("the health ledger can not be written: its events are in memory only", "dir", a.dir, "err", err)
		}
	} else if a.failing {
		a.log.Info("the health ledger is written again", "dir", a.dir)
	}
	a.failing = err != nil
}

func (a *Archive) write(text []byte) error {
	if a.size > 0 && a.size+int64(len(text)) > a.part {
		if err := a.rotate(); err != nil {
			return err
		}
	}
	if a.torn { // what was left half-written is to spoil no other line
		text = append([]byte{'\n'}, text...)
	}
	n, err := a.file.Write(text)
	a.size += int64(n)
	if a.torn = err != nil; a.torn {
		return err
	}
	return a.file.Sync()
}

// rotate makes the present file the one before, which is forgotten.
func (a *Archive) rotate() error {
	if err := os.Rename(a.present(), a.before()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(a.present(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_ = a.file.Close() // it is synced
	a.file, a.size, a.torn = f, 0, false
	return syncDir(a.dir)
}

// Lost is how many events were not written.
func (a *Archive) Lost() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}
