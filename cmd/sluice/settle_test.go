package main

import (
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/discovery"
)

func TestSettling(t *testing.T) {
	wants := []discovery.SourceStatus{{Wants: 1}}
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var none, busy, quiet settling
	if !none.over([]discovery.SourceStatus{{}}, 1, at(0)) {
		t.Error("it waits for sources that nobody asked")
	}
	if busy.over(wants, 5, at(0)) || busy.over(wants, 6, at(20)) || !busy.over(wants, 7, at(40)) {
		t.Error("the second snapshot is the first that holds all sets for sure")
	}
	if quiet.over(wants, 5, at(0)) || quiet.over(wants, 6, at(200)) || quiet.over(wants, 6, at(400)) || !quiet.over(wants, 6, at(500)) {
		t.Error("a snapshot that none follows for a while holds all sets")
	}
}
