package agent

import (
	"bytes"
	"context"
	"os"
	"time"
)

const (
	// tailEvery is the time between two looks at the file.
	tailEvery = 200 * time.Millisecond
	// tailMost is the size at which the file is emptied.
	tailMost = 16 << 20
)

// tail follows the outcome file from its present end, also when somebody rotates it, until ctx
// ends.
func (o *outcomes) tail(ctx context.Context) {
	t := outcomeTail{path: o.file, take: o.take}
	defer t.close()
	t.open(true)
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.look()
		}
	}
}

// outcomeTail is a file that is being followed.
type outcomeTail struct {
	path string
	take func(line string)
	file *os.File // nil while there is none
	at   int64
	rest []byte // of a line that is not complete
}

// open begins with the file at the path, from its beginning or its end.
func (t *outcomeTail) open(end bool) {
	f, err := os.Open(t.path)
	if err != nil {
		return // nginx has not written it yet
	}
	t.file, t.at, t.rest = f, 0, nil
	if info, err := f.Stat(); end && err == nil {
		t.at = info.Size()
	}
}

func (t *outcomeTail) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
	t.file = nil
}

// look reads what is new. nginx goes on with a file that was moved away until it is told to
// open its logs again, so another file at the path is taken after the old one is read.
func (t *outcomeTail) look() {
	if t.file == nil {
		t.open(false)
	}
	if t.file == nil {
		return
	}
	t.read()
	now, err := os.Stat(t.path)
	mine, ownErr := t.file.Stat()
	switch {
	case err != nil || ownErr != nil:
		return
	case !os.SameFile(now, mine):
		t.close()
		t.open(false)
	case now.Size() < t.at:
		t.at, t.rest = 0, nil // somebody has emptied it
	case t.at >= tailMost:
		// nginx appends, so that it goes on at the new end. A line that comes in just now is lost.
		if os.Truncate(t.path, 0) == nil {
			t.at, t.rest = 0, nil
		}
	}
}

func (t *outcomeTail) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := t.file.ReadAt(buffer, t.at)
		t.at += int64(n)
		t.rest = append(t.rest, buffer[:n]...)
		for {
			line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
			if !ok {
				break
			}
			t.take(string(line))
			t.rest = rest
		}
		t.rest = bytes.Clone(t.rest[max(0, len(t.rest)-len(buffer)):])
		if err != nil || n == 0 {
			return
		}
	}
}
