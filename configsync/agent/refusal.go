package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/protocol"
)

// refusedStatus is an answer of the control plane that is none of the wanted ones.
type refusedStatus struct {
	status int
	text   string
}

// Error is the control plane's text.
func (e *refusedStatus) Error() string { return e.text }

// turnedAway says whether asking again in the same way is of no use.
func turnedAway(err error) bool {
	var r *refusedStatus
	return errors.As(err, &r) && r.status >= 400 && r.status < 500 && r.status != http.StatusTooManyRequests && r.status != http.StatusRequestTimeout
}

// refusedError is what the control plane answered instead.
func (i *identity) refusedError(method, path string, status int, body []byte) error {
	var p protocol.Problem
	text := fmt.Sprintf("%s %s: the control plane answered %d", method, path, status)
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		text = fmt.Sprintf("the control plane answered %d %s: %s", status, p.Code, strings.TrimPrefix(p.Detail, p.Code+": "))
	}
	if clocks := i.apart(); clocks != "" && status == http.StatusUnauthorized {
		text += "; " + clocks
	}
	return &refusedStatus{status, text}
}
