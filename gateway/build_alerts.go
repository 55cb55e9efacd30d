package gateway

import "fmt"

// checkAlerts reports thresholds that mean nothing. Who may be told is known to the process only.
func (b *builder) checkAlerts() {
	for _, t := range b.in.Tenants {
		a := t.Spec.Alerts
		if a != nil && !(a.MaxErrorRatio >= 0 && a.MaxErrorRatio <= 1) {
			b.report(Problem{Object: t.Ref(), Field: "spec.alerts.maxErrorRatio", Code: "alerts_invalid",
				Message: fmt.Sprintf("%v is not a share of requests: write a number from 0 to 1, such as 0.05.", a.MaxErrorRatio)})
		}
		if a != nil && a.MaxLatency < 0 {
			b.report(Problem{Object: t.Ref(), Field: "spec.alerts.maxLatency", Code: "alerts_invalid",
				Message: fmt.Sprintf("%s is negative: write a time such as 800ms, or leave it out.", a.MaxLatency)})
		}
	}
}
