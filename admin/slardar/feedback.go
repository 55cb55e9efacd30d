package slardar

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// report is the body of POST /feedback/NAME, with the arguments of checkups.feedback_status:
// somebody else's client has reached the server, or has failed to.
type report struct {
	Host   string `json:"host"`
	Port   number `json:"port"`
	Failed bool   `json:"failed"`
}

// reported is the failure of an exchange that was not ours.
const reported gateway.Failure = "reported"

// feedback counts one request that an external reporter has made.
func (h *handler) feedback(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		notAllowed(w, "POST, PUT")
		return
	}
	tenant, key, err := h.target(r)
	var b []byte
	if err == nil {
		b, err = body(r)
	}
	var says report
	if err == nil {
		if e := json.Unmarshal(b, &says); e != nil {
			err = bad(fmt.Errorf(`decode body error: %w: send {"host":"10.0.0.4","port":8080,"failed":true}`, e))
		}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	u := h.Snapshot().Upstream(gateway.UpstreamKey{Tenant: tenant, Name: objectName(key)})
	if u == nil {
		h.fail(w, r, &refusal{http.StatusNotFound, errors.New("unknown skey " + key)})
		return
	}
	address, err := gateway.NormalAddress(net.JoinHostPort(says.Host, strconv.Itoa(int(says.Port))))
	if err != nil || !hasEndpoint(u, address) {
		h.fail(w, r, &refusal{http.StatusNotFound, fmt.Errorf("unknown host:port %s:%d", says.Host, says.Port)})
		return
	}
	h.Observe(outcome(gateway.EndpointKey{Upstream: u.Key, Address: address}, says.Failed, h.Caller(r.Context())))
	out := reply{Status: http.StatusOK}
	if !counts(u, address) {
		out.Notes = []string{"max_fails is 0 for this server, so feedback changes nothing"}
	}
	answer(w, out)
}

// outcome is what a report amounts to: one exchange that went well, or did not.
func outcome(key gateway.EndpointKey, failed bool, who string) gateway.Outcome {
	o := gateway.Outcome{EndpointKey: key, At: time.Now(), Status: http.StatusOK}
	if failed {
		o.Status, o.Failure, o.Reason = 0, reported, "by "+who
	}
	return o
}

func hasEndpoint(u *gateway.EffectiveUpstream, address string) bool {
	return slices.ContainsFunc(u.Endpoints, func(e gateway.Endpoint) bool { return e.Address == address })
}

// counts says whether failed requests can take the endpoint out.
func counts(u *gateway.EffectiveUpstream, address string) bool {
	return u.Health.Passive != nil || slices.ContainsFunc(u.Endpoints, func(e gateway.Endpoint) bool {
		return e.Address == address && limitOf(u, &e).Max > 0
	})
}
