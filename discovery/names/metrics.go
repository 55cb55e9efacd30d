package names

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// call is a kind of call to an announcer, and how it ended.
type call struct {
	phase  Phase
	result string
}

// The results of calls.
const (
	resultDone     = "done"
	resultFailed   = "failed"
	resultTaken    = "taken"
	resultRejected = "rejected"
)

var (
	namesDesc = prometheus.NewDesc("sluice_names",
		"Names of services by state: announced, pending (wait for a call) or leaving (their service is gone and the grace runs). Only of the process that announces.",
		[]string{"state"}, nil)
	failingDesc = prometheus.NewDesc("sluice_names_failing",
		"Names whose last call failed; they are among the others. Only of the process that announces.", nil, nil)
	leadingDesc = prometheus.NewDesc("sluice_names_leading", "Whether this process is the one that announces (1) or not (0).", nil, nil)
	callsDesc   = prometheus.NewDesc("sluice_name_calls_total",
		"Calls that announce or withdraw names, by result: done, failed, taken (the name is somebody else's) or rejected.", []string{"call", "result"}, nil)
)

// counted notes how a call of the phase ended, and returns its error.
func (k *Keeper) counted(phase Phase, err error) error {
	result := resultDone
	switch {
	case errors.Is(err, ErrTaken):
		result = resultTaken
	case errors.Is(err, ErrRejected):
		result = resultRejected
	case err != nil:
		result = resultFailed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls[call{phase, result}]++
	return err
}

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(ch chan<- *prometheus.Desc) {
	ch <- namesDesc
	ch <- failingDesc
	ch <- leadingDesc
	ch <- callsDesc
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(ch chan<- prometheus.Metric) {
	s := k.Status()
	leading := 0.0
	if s.Leading {
		leading = 1
		for state, n := range map[string]int{"announced": s.Announced, "pending": s.Pending, "leaving": s.Leaving} {
			ch <- prometheus.MustNewConstMetric(namesDesc, prometheus.GaugeValue, float64(n), state)
		}
		ch <- prometheus.MustNewConstMetric(failingDesc, prometheus.GaugeValue, float64(s.Failing))
	}
	ch <- prometheus.MustNewConstMetric(leadingDesc, prometheus.GaugeValue, leading)
	k.mu.Lock()
	defer k.mu.Unlock()
	for phase, name := range map[Phase]string{Announcing: "announce", Withdrawing: "withdraw"} {
		for _, result := range []string{resultDone, resultFailed, resultTaken, resultRejected} {
			ch <- prometheus.MustNewConstMetric(callsDesc, prometheus.CounterValue, float64(k.calls[call{phase, result}]), name, result)
		}
	}
}
