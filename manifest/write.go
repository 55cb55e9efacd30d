package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/sluice-gateway/sluice/gateway"
)

// Write writes objects as YAML documents, without what the server adds, so that what was
// read from one server can be applied to another, or edited and applied again.
func Write(w io.Writer, objects ...gateway.Object) error {
	var b bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		text, err := encode(o)
		if err != nil {
			return fmt.Errorf("write %s: %w", o.Head().Ref(), err)
		}
		b.Write(text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func encode(o gateway.Object) ([]byte, error) {
	written, err := gateway.NewObject(o.Head().Kind)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, written); err != nil {
		return nil, err
	}
	m := written.Head()
	if c, ok := written.(*gateway.Certificate); ok {
		c.Status = nil
	}
	m.Revision, m.CreatedRevision, m.CreatedBy, m.UpdatedBy, m.UpdatedAt = 0, 0, "", "", time.Time{}
	return yaml.MarshalWithOptions(written, yaml.UseJSONMarshaler(), yaml.IndentSequence(true))
}
