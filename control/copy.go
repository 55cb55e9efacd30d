package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// copyHeader is the first line of the file; what it describes follows.
type copyHeader struct {
	Format  string    `json:"format"`
	SavedAt time.Time `json:"savedAt"`
	Bytes   int       `json:"bytes"`
	SHA256  string    `json:"sha256"`
}

const copyFormat = "sluice-local-copy/1"

type copyBody struct {
	Objects []json.RawMessage     `json:"objects"`
	Sets    []gateway.EndpointSet `json:"sets"`
}

// Write puts the copy into the file, readable by its owner only since it holds private keys:
// the whole of it, or the file stays as it is.
func (c Copy) Write(name string) (err error) {
	body := copyBody{Sets: c.Sets}
	for _, o := range c.Objects {
		text, err := gateway.MarshalClear(o)
		if err != nil {
			return fmt.Errorf("write the local copy: %s: %w", o.Head().Ref(), err)
		}
		body.Objects = append(body.Objects, text)
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the local copy: %w", err)
	}
	sum := sha256.Sum256(payload)
	header, err := json.Marshal(copyHeader{copyFormat, c.SavedAt, len(payload), hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("write the local copy: %w", err)
	}
	if err := replaceFile(name, append(append(header, '\n'), payload...)); err != nil {
		return fmt.Errorf("write the local copy: %w", err)
	}
	return nil
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
		return Copy{}, fmt.Errorf("%w: %s: %w: it is not used; delete it, and a new one is written when the node is complete", ErrDamaged, name, err)
	}
	return c, nil
}

func parseCopy(text []byte) (Copy, error) {
	line, payload, _ := bytes.Cut(text, []byte("\n"))
	var h copyHeader
	if err := json.Unmarshal(line, &h); err != nil || h.Format == "" {
		return Copy{}, errors.New("its first line is no header")
	}
	if h.Format != copyFormat {
		return Copy{}, fmt.Errorf("its format is %q, and this version reads %q", h.Format, copyFormat)
	}
	if len(payload) != h.Bytes {
		return Copy{}, fmt.Errorf("it holds %d bytes of %d", len(payload), h.Bytes)
	}
	if sum := sha256.Sum256(payload); hex.EncodeToString(sum[:]) != h.SHA256 {
		return Copy{}, errors.New("its checksum does not fit its content")
	}
	var body copyBody
	if err := json.Unmarshal(payload, &body); err != nil {
		return Copy{}, err
	}
	c := Copy{SavedAt: h.SavedAt, Sets: body.Sets}
	for i, raw := range body.Objects {
		var head struct{ Kind gateway.Kind }
		if err := json.Unmarshal(raw, &head); err != nil {
			return Copy{}, fmt.Errorf("object %d: %w", i, err)
		}
		o, err := gateway.NewObject(head.Kind)
		if err == nil {
			err = json.Unmarshal(raw, o)
		}
		if err != nil {
			return Copy{}, fmt.Errorf("object %d: %w", i, err)
		}
		c.Objects = append(c.Objects, o)
	}
	return c, nil
}

// replaceFile writes the whole file or leaves the old one: temporary file, fsync, rename, fsync
// of the folder.
func replaceFile(name string, text []byte) (err error) {
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
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
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
