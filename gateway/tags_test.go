package gateway

import (
	"encoding/json"
	"maps"
	"testing"
)

func TestTags(t *testing.T) {
	m := map[string]string{"version": "v2", "canary": "", "a\"b": "c\n<d>"}
	tags := NewTags(m)
	if again := NewTags(maps.Clone(m)); again != tags {
		t.Errorf("two texts for one map: %s and %s", tags, again)
	}
	if !maps.Equal(tags.Map(), m) {
		t.Errorf("%s reads %v, want %v", tags, tags.Map(), m)
	}
	e := SourceEndpoint{Address: "10.0.0.1:80", Weight: 1, Tags: tags}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back SourceEndpoint
	if err := json.Unmarshal(text, &back); err != nil || back != e {
		t.Errorf("%s reads back as %+v, %v", text, back, err)
	}
	if text, err := json.Marshal(SourceEndpoint{Address: "10.0.0.1:80", Weight: 1}); err != nil || string(text) != `{"address":"10.0.0.1:80","weight":1}` {
		t.Errorf("without tags: %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"tags":["x"]}`), &back); err == nil {
		t.Error("a list was taken for an object")
	}
	if NewTags(nil) != "" || len(Tags("").Map()) != 0 {
		t.Error("no tags are not none")
	}
}
