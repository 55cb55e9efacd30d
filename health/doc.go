// Package health decides which endpoints should receive requests.
//
// It takes in the outcomes of real requests ([Health.Observe], from the proxy) and the
// results of its own probes, and reports a [gateway.Verdict] for an endpoint whenever that
// changes, with the evidence: what was seen, by which node, since when and until when.
// What to judge comes from the snapshot ([Health.Apply]); a verdict goes back into the
// inputs of the next one, so proxy, fleet and UI agree.
//
// Two checks judge an endpoint, each with a state of its own:
//
//   - Active probes take it down after Fall failures in a row and back after Rise
//     successes in a row. They may take down every endpoint: gateway.Build then panics,
//     that is, it uses all of them.
//   - Passive judgement ejects it after so many gateway errors in a row (no connection,
//     timeout, reset, malformed answer, 502, 503, 504), for too large a share of errors
//     within half a minute or five minutes, or, if asked for, for its latency; for the base
//     time multiplied by the number of ejections in a row. When the time is over it is on
//     probation: in rotation for trial requests, and the first gateway error ejects it again
//     for longer, while three successes, or Rise successful probes, make it healthy.
//
// Time alone ends an ejection, so an endpoint returns without traffic and without active
// probes; it then waits on probation for its first requests. A successful probe does not
// end an ejection: a good /healthz says little about an application that answers 503.
//
// An endpoint is ejected only if a sibling in rotation is doing well, and within a cap:
// when all are bad it is the service that is bad, and moving requests about helps nobody.
// What a person says (gateway.EndpointPin) wins over both checks. Every transition is an event
// with its evidence, kept for a day ([Health.History]) and streamed ([Health.Subscribe]).
// docs/health.md has the rules and their arithmetic.
//
// Deciding is pure, in [Tracker]: it reads no clock and starts no goroutine. Timers and
// sockets are in [Prober]. [Health] connects both to the rest. Acting on a verdict belongs
// to package proxy; mirroring it, to package configsync.
package health
