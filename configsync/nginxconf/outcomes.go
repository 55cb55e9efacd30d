package nginxconf

import (
	"path"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// AccessLogOff is what NodeFacts.AccessLog says where nginx.conf switches access logs off.
const AccessLogOff = "off"

// OutcomeMark begins every line of the outcome log.
const OutcomeMark = "sluice1|"

// outcomeFields are what the agent reads; see agent.parseOutcomes. Each but the first is a list
// when nginx tried several endpoints; the last two are what the client got, and from which
// server. There is nothing about clients in it.
const outcomeFields = "$sluice_upstream|$upstream_addr|$upstream_status|$upstream_connect_time|$upstream_header_time|$status|$server_name"

// outcomes writes the format of the outcome log, and the log itself beside those that
// nginx.conf has at the level of http: access_log adds to its own level, and replaces the
// levels above.
func (r *renderer) outcomes(w *writer) {
	if r.outcomeTarget() == "" {
		return
	}
	w.put("")
	w.comment("How exchanges with endpoints end, for the agent. It holds nothing about clients.")
	w.put("log_format sluice_outcomes '" + OutcomeMark + outcomeFields + "';")
	w.comment("Only our servers set it to 1, while the agent lives: nginx complains to its error log")
	w.comment("about each line that nobody takes, and a file would grow for ever.")
	w.open("map", "", "$sluice_taken")
	w.stmt("default", "0")
	w.close()
	w.comment("Where no endpoint was asked, failures alone are told.")
	w.open("map", "$upstream_addr$status", "$sluice_outcome")
	w.stmt("~^[1-4][0-9][0-9]$", "0")
	w.stmt("default", "$sluice_taken")
	w.close()
	switch log := r.facts.AccessLog; {
	case log == AccessLogOff:
		return
	case plainPath(log):
		w.comment("What nginx writes where nobody says anything else.")
		w.stmt("access_log", log)
	}
	r.outcomeLog(w)
}

// takeOutcomes is what every server says before its locations.
func (r *renderer) takeOutcomes(w *writer) {
	if r.outcomeTarget() == "" {
		return
	}
	w.open("if", "(-e", AgentLives(r.facts)+")")
	w.stmt("set", "$sluice_taken", "1")
	w.close()
	if r.facts.AccessLog == AccessLogOff {
		r.outcomeLog(w) // at the level of http it would be off, too
	}
}

// AgentLives is a path that exists while the agent of a node with these facts lives.
func AgentLives(f gateway.NodeFacts) string { return path.Join(path.Dir(f.TreePath), "agent.live") }

// outcomeLog writes the access_log directive, if the agent takes outcomes.
func (r *renderer) outcomeLog(w *writer) {
	if target := r.outcomeTarget(); target != "" {
		w.stmt("access_log", target, "sluice_outcomes", "if=$sluice_outcome")
	}
}

// outcomeTarget is where outcomes go in the words of access_log, or nothing. A path that could
// mean more than a path is not used.
func (r *renderer) outcomeTarget() string {
	target, socket := strings.CutPrefix(r.facts.Outcomes, "unix:")
	switch {
	case !plainPath(target) || !plainPath(AgentLives(r.facts)):
		return ""
	case socket:
		return "syslog:server=unix:" + target + ",tag=sluice,nohostname"
	}
	return target
}

func plainPath(p string) bool {
	return strings.HasPrefix(p, "/") && !strings.HasSuffix(p, "/") && strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == ""
}
