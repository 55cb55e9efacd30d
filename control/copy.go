package control

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Copy is the inputs of a moment, as they are kept on disk so that a node can start when
// store and sources can not be reached. Verdicts are not kept: they are soon out of date.
type Copy struct {
	SavedAt time.Time
	Objects []gateway.Object
	Sets    []gateway.EndpointSet
}

// ErrDamaged says that a local copy can not be used.
var ErrDamaged = errors.New("the local copy is damaged")

// copyHeader is the first line of the file. A line for each object follows, then one for each
// set, and the checksum of all that.
type copyHeader struct {
	Format  string    `json:"format"`
	SavedAt time.Time `json:"savedAt"`
	Objects int       `json:"objects"`
	Sets    int       `json:"sets"`
}

const (
	copyFormat = "sluice-local-copy/2"
	copySum    = "sha256 " // begins the last line
)

// Write puts the copy into the file, readable by its owner only since it holds private keys:
// the whole of it, or the file stays as it is. It takes its time: whatever else there is to do
// goes first, line by line, and no more than a line is held in memory.
func (c Copy) Write(name string) error {
	if err := replaceFile(name, c.encode); err != nil {
		return fmt.Errorf("write the local copy: %w", err)
	}
	return nil
}

func (c Copy) encode(w io.Writer) error {
	sum, buffered := sha256.New(), bufio.NewWriterSize(w, 64<<10)
	line := json.NewEncoder(io.MultiWriter(sum, buffered))
	if err := line.Encode(copyHeader{copyFormat, c.SavedAt, len(c.Objects), len(c.Sets)}); err != nil {
		return err
	}
	for _, o := range c.Objects {
		if err := line.Encode(gateway.Clear(o)); err != nil {
			return fmt.Errorf("%s: %w", o.Head().Ref(), err)
		}
		runtime.Gosched()
	}
	for i := range c.Sets {
		if err := line.Encode(&c.Sets[i]); err != nil {
			return fmt.Errorf("endpoints of %s: %w", c.Sets[i].Upstream, err)
		}
		runtime.Gosched()
	}
	if _, err := fmt.Fprintf(buffered, "%s%x\n", copySum, sum.Sum(nil)); err != nil {
		return err
	}
	return buffered.Flush()
}

// ReadCopy reads a file of [Copy.Write]. It wraps [ErrDamaged] for one that was cut or changed,
// and fs.ErrNotExist when there is none.
func ReadCopy(name string) (Copy, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Copy{}, fmt.Errorf("read the local copy: %w", err)
	}
	c, err := parseCopy(text)
	if err != nil {
		return Copy{}, fmt.Errorf("%w: %s: %w: it is not used, and replaced when the node is complete", ErrDamaged, name, err)
	}
	return c, nil
}

func parseCopy(text []byte) (Copy, error) {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	var h copyHeader
	if err := json.Unmarshal(head, &h); err != nil || h.Format == "" {
		return Copy{}, errors.New("its first line is no header")
	}
	if h.Format != copyFormat {
		return Copy{}, fmt.Errorf("its format is %q, and this version reads %q", h.Format, copyFormat)
	}
	sized := len(text) - len(copySum) - 2*sha256.Size - 1
	if sized < len(head)+1 || !bytes.HasPrefix(text[sized:], []byte(copySum)) {
		return Copy{}, errors.New("its end is missing")
	}
	if sum := sha256.Sum256(text[:sized]); string(text[sized:]) != fmt.Sprintf("%s%x\n", copySum, sum) {
		return Copy{}, errors.New("its checksum does not fit its content")
	}
	c := Copy{SavedAt: h.SavedAt}
	lines := bytes.SplitAfter(rest[:len(rest)-(len(text)-sized)], []byte("\n"))
	if len(lines) != h.Objects+h.Sets+1 {
		return Copy{}, fmt.Errorf("it holds %d objects and sets, and its header says %d", len(lines)-1, h.Objects+h.Sets)
	}
	for i, line := range lines[:h.Objects] {
		o, err := readObject(line)
		if err != nil {
			return Copy{}, fmt.Errorf("line %d: %w", i+2, err)
		}
		c.Objects = append(c.Objects, o)
	}
	for i, line := range lines[h.Objects : h.Objects+h.Sets] {
		var s gateway.EndpointSet
		if err := json.Unmarshal(line, &s); err != nil {
			return Copy{}, fmt.Errorf("line %d: %w", h.Objects+i+2, err)
		}
		c.Sets = append(c.Sets, s)
	}
	return c, nil
}

func readObject(line []byte) (gateway.Object, error) {
	var head struct{ Kind gateway.Kind }
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	o, err := gateway.NewObject(head.Kind)
	if err != nil {
		return nil, err
	}
	return o, json.Unmarshal(line, o)
}

// replaceFile writes the whole file or leaves the old one: temporary file, fsync, rename, fsync
// of the folder.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, ".copy-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err = errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
