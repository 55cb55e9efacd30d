package main

// metric names one number that a turn yields, as in figures and result files.
type metric string

// values are what a turn measured. A peer may lack some.
type values map[metric]float64

const (
	cpuMicros     metric = "cpu"
	rate          metric = "rate"
	p50           metric = "p50"
	p99           metric = "p99"
	p999          metric = "p999"
	memoryMiB     metric = "memory"
	corePercent   metric = "core"
	othersPercent metric = "others"
	loadOthers    metric = "load_others"

	idleKiB metric = "idle"

	fewCPU      metric = "cpu_few"
	matchRatio  metric = "match_ratio"
	startMillis metric = "start"

	endpointMillis metric = "endpoint"
	endpointCPU    metric = "endpoint_cpu"
	applyMillis    metric = "apply"
	moveMillis     metric = "move"
	moveCPU        metric = "move_cpu"

	churnErrors metric = "errors"
	churnClosed metric = "closed"
	changeRate  metric = "changes"
	calmP99     metric = "p99_calm"
	churnRatio  metric = "p99_ratio"
)

// column is how a metric is shown.
type column struct {
	metric metric
	title  string
	unit   string
	digits int
}

var columns = []column{
	{cpuMicros, "CPU per request", "us", 2},
	{rate, "requests", "1/s", 0},
	{p50, "p50", "us", 0},
	{p99, "p99", "us", 0},
	{p999, "p99.9", "us", 0},
	{idleKiB, "memory per idle connection", "KiB", 1},
	{fewCPU, "CPU per request at 10 hosts", "us", 2},
	{matchRatio, "many / few hosts", "ratio", 2},
	{startMillis, "start", "ms", 0},
	{endpointMillis, "endpoint added", "ms", 1},
	{endpointCPU, "its CPU time", "ms", 0},
	{applyMillis, "taken over by the proxy within", "ms", 3},
	{moveMillis, "host moved", "ms", 1},
	{moveCPU, "its CPU time", "ms", 0},
	{churnErrors, "failed requests", "", 0},
	{churnClosed, "connections closed", "", 0},
	{changeRate, "changes", "1/s", 0},
	{calmP99, "p99 without changes", "us", 0},
	{churnRatio, "p99 with / without changes", "ratio", 2},
	{memoryMiB, "memory", "MiB", 1},
	{corePercent, "own share of the core", "%", 0},
	{othersPercent, "others on that core", "%", 0},
	{loadOthers, "others on the load's core", "%", 0},
}

// conditions are metrics of the machine: they are no figures of a peer.
var conditions = []metric{corePercent, othersPercent, loadOthers}

// columnOf finds how m is shown.
func columnOf(m metric) column {
	for _, c := range columns {
		if c.metric == m {
			return c
		}
	}
	return column{metric: m, title: string(m), digits: 2}
}
