package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Tags are what a source says about an endpoint besides where it is, such as version=v2. They
// are kept as one canonical text, so that endpoints stay comparable and small; in JSON they are
// an object of strings. The zero value holds none.
type Tags string

// NewTags returns the tags of a map.
func NewTags(m map[string]string) Tags {
	if len(m) == 0 {
		return ""
	}
	text, err := json.Marshal(m) // sorts the keys
	if err != nil {
		return "" // strings can't fail
	}
	return Tags(text)
}

// Map returns a copy that can be changed.
func (t Tags) Map() map[string]string {
	m := map[string]string{}
	if t != "" && json.Unmarshal([]byte(t), &m) != nil {
		return map[string]string{} // not made by NewTags
	}
	return m
}

// MarshalJSON writes an object of strings.
func (t Tags) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("{}"), nil
	}
	return []byte(t), nil
}

// UnmarshalJSON reads an object of strings, or null.
func (t *Tags) UnmarshalJSON(text []byte) error {
	var m map[string]string
	if err := json.Unmarshal(bytes.TrimSpace(text), &m); err != nil {
		return fmt.Errorf("tags are an object of strings: %w", err)
	}
	*t = NewTags(m)
	return nil
}
