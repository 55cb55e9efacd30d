package health

import "github.com/sluice-gateway/sluice/gateway"

// active is what probes say about one endpoint.
type active struct {
	down                bool
	successes, failures int              // in a row; one of them is 0
	verdict             *gateway.Verdict // while down
	newest              pulse
}

// observe counts one probe and names the rule that it completed, or returns "".
func (a *active) observe(ok bool, c *gateway.ActiveCheck) (rule string) {
	if ok {
		a.successes, a.failures = a.successes+1, 0
		if a.down && a.successes >= c.Rise {
			a.down = false
			return RuleActiveRise
		}
		return ""
	}
	a.successes, a.failures = 0, a.failures+1
	if !a.down && a.failures >= c.Fall {
		a.down = true
		return RuleActiveFall
	}
	return ""
}

// unsettled says that the last probes contradict the state, so the next one should come
// soon.
func (a *active) unsettled() bool {
	return a.down && a.successes > 0 || !a.down && a.failures > 0
}

// sameQuestion says whether two active checks ask the same of an endpoint. How often they
// ask and how many answers they need does not matter: a person who changes the interval
// must not put a dead endpoint back into rotation.
func sameQuestion(a, b *gateway.ActiveCheck) bool {
	if a == nil || b == nil {
		return a == b
	}
	if len(a.Expect) != len(b.Expect) {
		return false
	}
	for i := range a.Expect {
		if a.Expect[i] != b.Expect[i] {
			return false
		}
	}
	return a.Type == b.Type && a.Path == b.Path && a.Host == b.Host && a.Timeout == b.Timeout
}
