package nginxconf

import "strings"

// AccessLogOff is what NodeFacts.AccessLog says where nginx.conf switches access logs off.
const AccessLogOff = "off"

// OutcomeMark begins every line of the outcome log.
const OutcomeMark = "sluice1|"

// outcomeFields are what the agent reads; see agent.parseOutcomes. Each but the first is a list
// when nginx tried several endpoints. There is nothing about clients in it.
const outcomeFields = "$proxy_host|$upstream_addr|$upstream_status|$upstream_connect_time|$upstream_header_time"

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
	w.open("map", "$upstream_addr", "$sluice_outcome")
	w.stmt("", "0")
	w.stmt("default", "1")
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

// outcomeLog writes the access_log directive, if the agent takes outcomes.
func (r *renderer) outcomeLog(w *writer) {
	if target := r.outcomeTarget(); target != "" {
		w.stmt("access_log", target, "sluice_outcomes", "if=$sluice_outcome")
	}
}

// outcomeTarget is where outcomes go in the words of access_log, or nothing. A path that could
// mean more than a path is not used.
func (r *renderer) outcomeTarget() string {
	path, socket := strings.CutPrefix(r.facts.Outcomes, "unix:")
	switch {
	case !plainPath(path):
		return ""
	case socket:
		return "syslog:server=unix:" + path + ",tag=sluice,nohostname"
	}
	return path
}

func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") && strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == ""
}
