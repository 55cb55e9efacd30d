package etcd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxWeight is what an endpoint given by hand may have, too.
const maxWeight = 1000

// maxTags bounds the text of an instance's tags in bytes.
const maxTags = 4096

// traits may stand in the value itself or in the metadata of the naming format. Their types
// take what people write and remember what they can't read, so that one field in a foreign
// shape does not make the others unreadable.
type traits struct {
	Weight   number `json:"weight"`
	Priority number `json:"priority"`
	Zone     text   `json:"zone"`
	Tags     tags   `json:"tags"`
	Status   status `json:"status"`
}

// wellFormed names the first field that can't be read.
func (t traits) wellFormed() error {
	switch {
	case t.Weight.bad:
		return fmt.Errorf(`weight is not a whole number: write "weight": 5`)
	case t.Priority.bad:
		return fmt.Errorf(`priority is not a whole number: write "priority": 1`)
	}
	return t.Tags.err
}

// readable is t without the fields that can't be read.
func (t traits) readable() traits {
	if t.Weight.bad || t.Weight.or(1) < 0 || t.Weight.or(1) > maxWeight {
		t.Weight = number{}
	}
	if t.Priority.bad || t.Priority.or(0) < 0 {
		t.Priority = number{}
	}
	t.Tags.err = nil
	return t
}

// or takes what t leaves out from o.
func (t traits) or(o traits) traits {
	if !t.Weight.set {
		t.Weight = o.Weight
	}
	if !t.Priority.set {
		t.Priority = o.Priority
	}
	t.Zone, t.Tags.tags, t.Status = cmp.Or(t.Zone, o.Zone), cmp.Or(t.Tags.tags, o.Tags.tags), cmp.Or(t.Status, o.Status)
	return t
}

// number is a whole number, which may be written as a string: 5, "5", 5.0.
type number struct {
	value    int
	set, bad bool
}

func (n number) or(def int) int {
	if n.set {
		return n.value
	}
	return def
}

func (n number) is(v int) bool { return n.set && n.value == v }

func (n *number) UnmarshalJSON(raw []byte) error {
	written := strings.TrimSpace(strings.Trim(string(raw), `"`))
	if written == "null" || written == "" {
		return nil
	}
	f, err := strconv.ParseFloat(written, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1e9 {
		n.bad = true
		return nil
	}
	n.value, n.set = int(f), true
	return nil
}

// text is a string, or a number or truth value that was not quoted.
type text string

func (s *text) UnmarshalJSON(raw []byte) error {
	*s = text(scalar(raw))
	return nil
}

// scalar is the text of a string, number or truth value, and "" for anything else.
func scalar(raw []byte) string {
	var s string
	switch {
	case json.Unmarshal(raw, &s) == nil:
		return s
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
		return ""
	}
	return string(raw)
}

// tags are a map, a list, or one string of words between commas: a list's words are keys, or
// key=value.
type tags struct {
	tags gateway.Tags
	err  error
}

func (t *tags) UnmarshalJSON(raw []byte) error {
	var byName map[string]json.RawMessage
	var list []json.RawMessage
	out := map[string]string{}
	switch {
	case json.Unmarshal(raw, &byName) == nil:
		for name, v := range byName {
			out[name] = scalar(v)
		}
	case json.Unmarshal(raw, &list) == nil:
		for _, v := range list {
			addTag(out, scalar(v))
		}
	default:
		for word := range strings.SplitSeq(scalar(raw), ",") {
			addTag(out, word)
		}
	}
	made := gateway.NewTags(out)
	if len(made) > maxTags {
		t.err = errors.New("tags are longer than " + strconv.Itoa(maxTags) + " bytes: leave some out")
		return nil
	}
	t.tags = made
	return nil
}

func addTag(to map[string]string, word string) {
	name, v, _ := strings.Cut(strings.TrimSpace(word), "=")
	if name != "" {
		to[name] = v
	}
}

// status is what the instance says about itself, in lower case.
type status string

func (s *status) UnmarshalJSON(raw []byte) error {
	if said := scalar(raw); said != "" || string(raw) == "null" || string(raw) == `""` {
		*s = status(strings.ToLower(strings.TrimSpace(said)))
		return nil
	}
	*s = "an object or a list"
	return nil
}

// apply says what becomes of an instance with this status.
func (s status) apply(e gateway.SourceEndpoint) instance {
	i := instance{endpoint: e, present: true}
	switch s {
	case "", "up":
	case "draining":
		i.endpoint.Terminating = true
	case "down":
		i.present, i.note = false, fmt.Sprintf("says that %s is down, so it is left out until its status is up again", e.Address)
	default:
		i.note = fmt.Sprintf("has status %.40q, which is not one of up, draining and down: %s is taken to be up", string(s), e.Address)
	}
	return i
}
