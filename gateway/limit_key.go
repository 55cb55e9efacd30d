package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LimitKey says whose requests a limit counts together.
type LimitKey struct {
	// By is "client" (default): one address, or one /64 of IPv6; "host": one host name;
	// "route": all requests of the route; or "header".
	By string
	// Header is the name of the header whose value counts, in lower case. A request without it
	// counts by its client, so that leaving it out gains nothing.
	Header string
}

// The values of LimitKey.By.
const (
	KeyClient = "client"
	KeyHost   = "host"
	KeyRoute  = "route"
	KeyHeader = "header"
)

// MarshalJSON writes "client", or {"header": "x-api-key"}.
func (k LimitKey) MarshalJSON() ([]byte, error) {
	if k.Header != "" {
		return json.Marshal(map[string]string{KeyHeader: k.Header})
	}
	return json.Marshal(k.By)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (k *LimitKey) UnmarshalJSON(b []byte) error {
	*k = LimitKey{}
	if json.Unmarshal(b, &k.By) == nil {
		return nil
	}
	var o struct {
		Header string `json:"header"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil || o.Header == "" {
		return fmt.Errorf("the key of a limit can't be %s: write client, host, route or {header: x-api-key}", b)
	}
	*k = LimitKey{By: KeyHeader, Header: o.Header}
	return nil
}

// UnmarshalYAML reads the same from object files, whose reader asks for no UnmarshalJSON.
func (k *LimitKey) UnmarshalYAML(decode func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("read the key of a limit: %w", err)
	}
	return k.UnmarshalJSON(b)
}

// usable returns the key in canonical form, or why there is none.
func (k LimitKey) usable() (LimitKey, error) {
	switch {
	case k.Header != "":
		if name := strings.ToLower(k.Header); len(name) <= MaxKeyHeader && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			return LimitKey{By: KeyHeader, Header: name}, nil
		}
		return k, fmt.Errorf("header %.80q can't be a key: write at most %d letters, digits and hyphens", k.Header, MaxKeyHeader)
	case k.By == "":
		return LimitKey{By: KeyClient}, nil
	case slices.Contains([]string{KeyClient, KeyHost, KeyRoute}, k.By):
		return k, nil
	}
	return k, errors.New("the key is none of client, host, route and {header: x-api-key}")
}

// MaxKeyHeader keeps names of nginx's variables within its hash buckets.
const MaxKeyHeader = 40
