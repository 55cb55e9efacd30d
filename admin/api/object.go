package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluice-gateway/sluice/gateway"
)

// AnyObject is an object of any kind in JSON; its "kind" key says which. It is the schema
// Object of the API.
type AnyObject struct {
	gateway.Object
}

// MarshalJSON writes the object itself.
func (o AnyObject) MarshalJSON() ([]byte, error) { return json.Marshal(o.Object) }

// UnmarshalJSON reads the kind first and then the object of that kind. Unknown keys are
// errors.
func (o *AnyObject) UnmarshalJSON(b []byte) error {
	var head struct {
		Kind gateway.Kind `json:"kind"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("read the kind of an object: %w", err)
	}
	obj, err := gateway.NewObject(head.Kind)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(obj); err != nil {
		return fmt.Errorf("read a %s: %w", head.Kind, err)
	}
	o.Object = obj
	return nil
}
