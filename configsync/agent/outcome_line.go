package agent

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// outcome is how one exchange of nginx with one endpoint ended.
type outcome struct {
	upstream, address string
	status            int
	failure           gateway.Failure
	latency           time.Duration // until the head of the answer
}

// lineFields is how many fields a line of the outcome log has.
const lineFields = 7

// answered is what a client got.
type answered struct {
	server string
	failed bool // 5xx
}

// parseAnswer reads the other half of what [parseOutcomes] reads.
func parseAnswer(line string) (answered, bool) {
	_, fields, ok := strings.Cut(line, nginxconf.OutcomeMark)
	parts := strings.Split(strings.TrimRight(fields, "\r\n"), "|")
	if !ok || len(parts) != lineFields {
		return answered{}, false
	}
	code, err := strconv.Atoi(parts[5])
	if err != nil || code < 100 || code > 599 {
		return answered{}, false
	}
	return answered{server: parts[6], failed: code >= 500}, true
}

// parseOutcomes reads a line of the outcome log, with whatever syslog puts in front of it. A
// request that was tried at several endpoints gives several outcomes; tries that say nothing
// about an endpoint, such as one that the client broke off, give none.
func parseOutcomes(line string) []outcome {
	_, fields, ok := strings.Cut(line, nginxconf.OutcomeMark)
	if !ok {
		return nil
	}
	parts := strings.Split(strings.TrimRight(fields, "\r\n"), "|")
	if len(parts) != lineFields && len(parts) != lineFields-2 { // nginx may run files of before there were answers
		return nil
	}
	addresses, statuses, connects, heads := tries(parts[1]), tries(parts[2]), tries(parts[3]), tries(parts[4])
	if len(statuses) != len(addresses) || len(connects) != len(addresses) || len(heads) != len(addresses) {
		return nil
	}
	var list []outcome
	for i, address := range addresses {
		if _, err := netip.ParseAddrPort(address); err != nil {
			continue // no endpoint could be asked: nginx names the upstream instead
		}
		o := outcome{upstream: parts[0], address: address}
		if o.judge(statuses[i], connects[i], heads[i]) {
			list = append(list, o)
		}
	}
	return list
}

// tries splits a list of nginx's: ", " is between tries, " : " between internal redirects.
func tries(s string) []string { return strings.Split(strings.ReplaceAll(s, " : ", ", "), ", ") }

// judge tells an answer of the endpoint from what nginx says in its place, which has no head.
func (o *outcome) judge(status, connect, head string) bool {
	code, err := strconv.Atoi(status)
	if err != nil || code < 100 || code > 599 {
		return false
	}
	if seconds, err := strconv.ParseFloat(head, 64); err == nil && seconds >= 0 && seconds < 1e6 {
		o.status, o.latency = code, time.Duration(seconds*float64(time.Second))
		return true
	}
	switch {
	case code != 502 && code != 504:
		return false
	case connect == "-":
		o.failure = gateway.FailureConnect
	case code == 504:
		o.failure = gateway.FailureTimeout
	default:
		o.failure = gateway.FailureReset
	}
	return true
}
