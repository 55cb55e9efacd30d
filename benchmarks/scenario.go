package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/benchmarks/loadgen"
)

// trial is how a contender's turn goes.
type trial interface {
	// enter readies a contender before its first turn.
	enter(ctx context.Context, c *contender) error
	// turn measures it once; seconds is the length of a load.
	turn(ctx context.Context, c *contender, seconds int) (values, error)
	// takes is about how long a turn takes.
	takes(b *bench) time.Duration
}

// scenario is one kind of work that all peers do.
type scenario struct {
	Name   string
	About  string
	set    setting
	origin string // kind of package origin; empty: nginx
	probe  probe
	trial  trial
	main   metric // the ratio and the chart are about it
	often  int    // how many times as many rounds: for goals that are nearer than two rounds are to each other
	goals  []goal
}

// goal is a figure of Sluice that should not be above limit. With over it is a ratio.
type goal struct {
	name   string
	metric metric
	over   string
	limit  float64
}

// rounds is how many rounds the scenario has. A run that does not even warm up is to see that
// things work, and one for profiles weighs all scenarios alike.
func (sc scenario) rounds(b *bench) int {
	if sc.often == 0 || b.warm == 0 || b.profiles != "" {
		return b.rounds
	}
	return b.rounds * sc.often
}

// originCount is how many origins stand behind the peers.
func (sc scenario) originCount() int {
	if sc.set.Spare || sc.set.Other {
		return 2
	}
	return 1
}

const (
	wrkConnections = 64
	messageSize    = 100 // of WebSocket messages
	handshakers    = 8
	manyHostsGoal  = 10000
)

func get(connections int) requests { return requests{byWrk(connections, plainGet), connections} }

func cpuGoal(name string, limit float64) goal { return goal{name, cpuMicros, reference, limit} }

// scenarios in the order in which they run.
var scenarios = []scenario{
	{Name: "http1", About: "HTTP/1.1, GET, 100-byte answers, 64 kept-alive connections",
		set: setting{Body: 100}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: get(wrkConnections), main: cpuMicros, often: 3,
		goals: []goal{cpuGoal("http1_ratio", 0.90), {"caddy_ratio", cpuMicros, "caddy", 0.25}, {"p99_vs_nginx", p99, reference, 1}}},
	{Name: "http1_16k", About: "HTTP/1.1, GET, 16 KiB answers, 64 kept-alive connections",
		set: setting{Body: 16 << 10}, probe: bodyProbe(http.MethodGet, false, 0), trial: get(wrkConnections), main: cpuMicros},
	{Name: "http1_1m", About: "HTTP/1.1, GET, 1 MiB answers, 16 kept-alive connections",
		set: setting{Body: 1 << 20}, probe: bodyProbe(http.MethodGet, false, 0), trial: get(16), main: cpuMicros,
		goals: []goal{cpuGoal("mib_ratio", 0.80)}},
	{Name: "post", About: "HTTP/1.1, POST of 64 KiB, 100-byte answers, 64 kept-alive connections",
		set: setting{Body: 100}, probe: bodyProbe(http.MethodPost, false, 64<<10), main: cpuMicros,
		trial: requests{byWrk(wrkConnections, post(64<<10)), wrkConnections}},
	{Name: "log", About: "http1 with an access log in a file, as each peer writes it by default",
		set: setting{Body: 100, Log: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: get(wrkConnections), main: cpuMicros,
		goals: []goal{cpuGoal("log_ratio", 0.95)}},
	{Name: "tls", About: "HTTP/1.1 over TLS 1.3, GET, 100-byte answers, 64 kept-alive connections",
		set: setting{Body: 100, Secure: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: get(wrkConnections), main: cpuMicros, often: 2,
		goals: []goal{cpuGoal("tls_ratio", 0.80)}},
	{Name: "tls_full", About: "a TLS 1.3 connection with a full handshake (P-256 certificate, X25519), one GET, close; latency is the handshake's",
		set: setting{Body: 100, Secure: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), main: cpuMicros,
		trial: requests{generated(loadgen.Config{Kind: "handshakes", Connections: handshakers}), handshakers}},
	{Name: "tls_resumed", About: "tls_full with a resumed session",
		set: setting{Body: 100, Secure: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), main: cpuMicros,
		trial: requests{generated(loadgen.Config{Kind: "handshakes", Connections: handshakers, Resume: true}), 2 * handshakers}},
	{Name: "h2", About: fmt.Sprintf("HTTP/2 over TLS 1.3, GET, 100-byte answers, %d connections with %d streams at a time", h2Connections, h2Streams),
		set: setting{Body: 100, Secure: true}, origin: "http", probe: bodyProbe(http.MethodGet, true, 0), main: cpuMicros,
		trial: requests{byH2Load(nil), h2Connections * h2Streams},
		goals: []goal{cpuGoal("h2_ratio", 0.70), {"h2_vs_haproxy", cpuMicros, "haproxy", 1}}},
	{Name: "grpc", About: fmt.Sprintf("gRPC unary calls over TLS 1.3, messages of %d bytes, %d connections with %d calls at a time, h2c to the origin", grpcSize, h2Connections, h2Streams),
		set: setting{Secure: true, Protocol: "h2c"}, origin: "grpc", probe: grpcProbe, main: cpuMicros,
		trial: requests{byH2Load(grpcMessage), h2Connections * h2Streams}},
	{Name: "websocket", About: fmt.Sprintf("WebSocket messages of %d bytes that are sent back, 64 connections", messageSize),
		set: setting{Streaming: true}, origin: "websocket", probe: webSocketProbe, main: cpuMicros,
		trial: requests{generated(loadgen.Config{Kind: "websocket", Connections: wrkConnections, Size: messageSize}), wrkConnections}},
	{Name: "idle", About: "5,000 idle connections that were asked once",
		set: setting{Body: 100}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: idle{byWrk(wrkConnections, plainGet)}, main: idleKiB,
		goals: []goal{{"idle_plain_kib", idleKiB, "", 6}}},
	{Name: "idle_tls", About: "5,000 idle connections over TLS 1.3 that were asked once",
		set: setting{Body: 100, Secure: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: idle{byWrk(wrkConnections, plainGet)}, main: idleKiB,
		goals: []goal{{"idle_tls_kib", idleKiB, "", 32}}},
	{Name: "hosts", About: "10,000 hosts, each with an upstream, and the load of http1 over 100 of them, beside 10 hosts; started anew in each round",
		set: setting{Body: 100, Hosts: manyHostsGoal}, origin: "http", probe: hostsProbe, trial: hosts{requests{byWrk(wrkConnections, overHosts), wrkConnections}}, main: matchRatio,
		goals: []goal{{"hosts_match_ratio", matchRatio, "", 1.2}, {"hosts_rss_mb", memoryMiB, "", 150}}},
	{Name: "change", About: "at 10,000 hosts, an endpoint is added and a host is moved: until the first answer that is due to it",
		set: setting{Body: 100, Hosts: manyHostsGoal, Spare: true, Other: true}, origin: "http", probe: hostsProbe, trial: change{}, main: endpointMillis,
		goals: []goal{{"endpoint_apply_ms", applyMillis, "", 1}}},
	{Name: "churn", About: fmt.Sprintf("an endpoint added or removed 100 times a second, under %d requests/s on %d connections", churnRate, churnConnections),
		set: setting{Body: 100, Spare: true}, origin: "http", probe: bodyProbe(http.MethodGet, false, 0), trial: churn{}, main: churnRatio,
		goals: []goal{{"churn_p99_ratio", churnRatio, "", 1.3}, {"churn_errors", churnErrors, "", 0}}},
}

// chooseScenarios finds scenarios by their names, separated by commas; none means all.
func chooseScenarios(names string) ([]scenario, error) {
	return choose(names, "scenario", scenarios, func(sc scenario) string { return sc.Name })
}

// choosePeers finds peers by their names. The reference is always among them.
func choosePeers(names string) ([]peer, error) {
	if names != "" && !slices.Contains(strings.Split(names, ","), reference) {
		names = reference + "," + names
	}
	return choose(names, "peer", peers, func(p peer) string { return p.name })
}

// choose keeps the order of all.
func choose[T any](names, kind string, all []T, nameOf func(T) string) (chosen []T, err error) {
	if names == "" {
		return all, nil
	}
	var known []string
	wanted := strings.Split(names, ",")
	for _, one := range all {
		known = append(known, nameOf(one))
		if slices.Contains(wanted, nameOf(one)) {
			chosen = append(chosen, one)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown %s %q: known are %s", kind, name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
