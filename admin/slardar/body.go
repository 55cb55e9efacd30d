package slardar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// update is the body of POST or PUT /upstream/NAME.
type update struct {
	// whole bodies ({"cluster": ...}) replace all settings; others ({"servers": ...}) keep
	// those that they do not name.
	whole    bool
	levels   []level
	settings settings
	// notes say what of the body does nothing here.
	notes []string
}

// level is one of several sets of servers; a later one is used when no earlier one is left.
type level struct {
	name    string // empty unless the cluster is an object of named levels
	servers []server
}

// server is one entry of "servers".
type server struct {
	Host        string   `json:"host"`
	Port        number   `json:"port"`
	Weight      *int     `json:"weight"`
	MaxFails    *int     `json:"max_fails"`
	FailTimeout *seconds `json:"fail_timeout"`
}

// number is an integer, which may stand in quotes: Lua does not tell them apart.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err != nil {
		return fmt.Errorf("%s is not a whole number", b)
	}
	*n = number(i)
	return nil
}

// read takes a body apart. Its errors begin with the words of Slardar, where it has any.
func read(body []byte) (update, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return update{}, errors.New(`no body: send {"servers":[{"host":"10.0.0.4","port":8080}]}`)
	}
	if !json.Valid(body) {
		var any any
		return update{}, fmt.Errorf("decode body error: %w", json.Unmarshal(body, &any))
	}
	if body[0] == '[' { // the levels alone
		levels, notes, err := readCluster(body)
		return update{levels: levels, notes: notes}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return update{}, errors.New(`decode body error: here goes an object, such as {"servers":[{"host":"10.0.0.4","port":8080}]}`)
	}
	return readFields(body, fields)
}

func readFields(body []byte, fields map[string]json.RawMessage) (u update, err error) {
	cluster, servers := fields["cluster"], fields["servers"]
	switch {
	case len(fields) == 0:
		return u, errors.New("can not set empty upstream")
	case cluster != nil:
		u.whole = true
		u.levels, u.notes, err = readCluster(cluster)
		if servers != nil {
			u.notes = append(u.notes, "servers: not used beside cluster")
		}
	case servers != nil:
		var l level
		l, u.notes, err = readLevel("", fields)
		u.levels = []level{l}
	default:
		return u, errors.New(`servers invalid: neither "servers" nor "cluster" is there`)
	}
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal(body, &u.settings); err != nil {
		return u, decodeError("", err)
	}
	u.notes = append(u.notes, unknown("", fields, upstreamKeys)...)
	return u, u.settings.check()
}

// readCluster reads levels: a list, or an object of named ones, which keep the order in
// which they are written.
func readCluster(raw json.RawMessage) (levels []level, notes []string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	open, _ := d.Token() // valid JSON, as all of body
	if open != json.Delim('[') && open != json.Delim('{') {
		return nil, nil, errors.New("cluster invalid: here goes a list of levels, or an object of named levels")
	}
	for d.More() {
		var name string
		if open == json.Delim('{') {
			key, _ := d.Token()
			name, _ = key.(string)
		}
		var fields map[string]json.RawMessage
		if err := d.Decode(&fields); err != nil || len(fields) == 0 {
			return nil, nil, fmt.Errorf("can not update empty level: %s is not an object with servers", levelPath(len(levels), name))
		}
		l, more, err := readLevel(levelPath(len(levels), name)+".", fields)
		if err != nil {
			return nil, nil, err
		}
		l.name = name
		levels = append(levels, l)
		notes = append(append(notes, more...), unknown(levelPath(len(levels)-1, name)+".", fields, levelKeys)...)
	}
	if len(levels) == 0 {
		return nil, nil, errors.New("can not set empty upstream: there is no level")
	}
	return levels, notes, nil
}

func levelPath(i int, name string) string {
	if name != "" {
		return fmt.Sprintf("cluster[%q]", name)
	}
	return fmt.Sprintf("cluster[%d]", i)
}

// readLevel reads the servers of one level.
func readLevel(where string, fields map[string]json.RawMessage) (l level, notes []string, err error) {
	var entries []json.RawMessage
	if json.Unmarshal(fields["servers"], &entries) != nil || len(entries) == 0 {
		return l, nil, fmt.Errorf("servers invalid: can not set empty upstream: %sservers has to be a list of at least one server", where)
	}
	for i, raw := range entries {
		path := fmt.Sprintf("%sservers[%d]", where, i)
		var keys map[string]json.RawMessage
		if json.Unmarshal(raw, &keys) != nil {
			return l, nil, fmt.Errorf("server must be a table: %s is not an object", path)
		}
		var s server
		if err := json.Unmarshal(raw, &s); err != nil {
			return l, nil, decodeError(path+".", err)
		}
		if s.Host == "" || s.Port == 0 {
			return l, nil, fmt.Errorf("no server.host nor server.port found: %s needs both", path)
		}
		l.servers = append(l.servers, s)
		notes = append(notes, unknown(path+".", keys, serverKeys)...)
	}
	return l, notes, nil
}

// decodeError says which key holds a value of the wrong type.
func decodeError(where string, err error) error {
	if t := (*json.UnmarshalTypeError)(nil); errors.As(err, &t) {
		return fmt.Errorf("%s%s: a JSON %s does not fit here", where, t.Field, t.Value)
	}
	return fmt.Errorf("%s%w", where, err)
}

// The keys that are read.
var (
	serverKeys   = []string{"host", "port", "weight", "max_fails", "fail_timeout"}
	levelKeys    = []string{"servers"}
	upstreamKeys = []string{"servers", "cluster", "enable", "typ", "timeout", "read_timeout", "sensibility", "protected", "try", "try_timeout", "http_opts", "mode"}
)

// unknown notes keys that do nothing, sorted.
func unknown(where string, fields map[string]json.RawMessage, keys []string) (notes []string) {
	for key := range fields {
		if !slices.Contains(keys, key) {
			notes = append(notes, where+key+": not used")
		}
	}
	slices.Sort(notes)
	return notes
}
