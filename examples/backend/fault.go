package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resetPoint says where in an exchange the connection is reset.
type resetPoint string

const (
	resetNever  resetPoint = ""
	resetAtOnce resetPoint = "1"    // instead of an answer
	resetInBody resetPoint = "body" // after half of the answer's body
)

// fault is what a backend does instead of answering properly. The zero value is none.
type fault struct {
	status int           // answer this status; 0 is the proper answer
	delay  time.Duration // wait before anything else
	reset  resetPoint
	hang   bool // never answer
	health bool // /healthz fails too
}

// parseFault reads the query of an order. heal is the zero fault. Anything not understood is
// an error that says what is.
func parseFault(q url.Values) (fault, error) {
	var f fault
	if len(q) == 0 {
		return f, fmt.Errorf("no order: give status=CODE, delay=TIME, reset=1, reset=body, hang=1, health=fail or heal=1")
	}
	for key, values := range q {
		if len(values) != 1 {
			return fault{}, fmt.Errorf("%s is given %d times: give it once", key, len(values))
		}
		if err := f.set(key, values[0]); err != nil {
			return fault{}, err
		}
	}
	if q.Has("heal") && len(q) > 1 {
		return fault{}, fmt.Errorf("heal undoes every fault: give it alone")
	}
	if answers := btoi(f.status != 0) + btoi(f.reset != resetNever) + btoi(f.hang); answers > 1 {
		return fault{}, fmt.Errorf("status, reset and hang exclude each other: give one of them")
	}
	return f, nil
}

// set takes one parameter of an order.
func (f *fault) set(key, value string) (err error) {
	switch key {
	case "status":
		f.status, err = strconv.Atoi(value)
		if err != nil || f.status < 200 || f.status > 599 {
			return fmt.Errorf("status=%s: give a number from 200 to 599", value)
		}
	case "delay":
		f.delay, err = time.ParseDuration(value)
		if err != nil || f.delay <= 0 {
			return fmt.Errorf("delay=%s: give a time such as 500ms or 2s", value)
		}
	case "reset":
		f.reset = resetPoint(value)
		return oneOf(key, value, "1", "body")
	case "hang":
		f.hang = true
		return oneOf(key, value, "1")
	case "health":
		f.health = value == "fail"
		return oneOf(key, value, "keep", "fail")
	case "heal":
		return oneOf(key, value, "1", "")
	default:
		return fmt.Errorf("unknown order %q: known are status, delay, reset, hang, health and heal", key)
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s=%s: give %s=%s", key, value, key, strings.Join(allowed, " or "))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// String says what the backend does under the fault, for people.
func (f fault) String() string {
	var does []string
	if f.delay > 0 {
		does = append(does, "waits "+f.delay.String())
	}
	switch {
	case f.status != 0:
		does = append(does, fmt.Sprintf("answers %d %s", f.status, http.StatusText(f.status)))
	case f.reset == resetAtOnce:
		does = append(does, "resets the connection")
	case f.reset == resetInBody:
		does = append(does, "resets the connection in the middle of the answer")
	case f.hang:
		does = append(does, "never answers")
	default:
		does = append(does, "answers 200 OK")
	}
	if f.health {
		return strings.Join(does, ", ") + "; /healthz fails"
	}
	return strings.Join(does, ", ") + "; /healthz is well"
}
