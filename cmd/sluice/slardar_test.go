package main

import (
	"testing"

	"github.com/sluice-gateway/sluice/store"
)

func TestConfigVersion(t *testing.T) {
	var v configVersion
	for _, c := range []struct {
		what   string
		update store.Update
		want   int64
	}{
		{"the start", store.Update{Revision: 9, Resync: true, Changes: []store.Changed{{Revision: 4}, {Revision: 9}}}, 0},
		{"one write of two objects", store.Update{Revision: 12, Changes: []store.Changed{{Revision: 12}, {Revision: 12}}}, 1},
		{"two writes at once", store.Update{Revision: 15, Changes: []store.Changed{{Revision: 13}, {Revision: 15}, {Revision: 15}}}, 3},
		{"listed again, nothing missed", store.Update{Revision: 15, Resync: true, Changes: []store.Changed{{Revision: 15}}}, 3},
		{"listed again", store.Update{Revision: 40, Resync: true, Changes: []store.Changed{{Revision: 38}}}, 4},
		{"a delete", store.Update{Revision: 41, Changes: []store.Changed{{Revision: 41}}}, 5},
	} {
		if v.take(c.update); v.n.Load() != c.want {
			t.Errorf("%s: %d, want %d", c.what, v.n.Load(), c.want)
		}
	}
}
