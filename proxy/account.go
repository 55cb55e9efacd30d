package proxy

// account counts and logs an exchange that ended at now. It is called once for each.
func (x *exchange) account(now int64) {
	x.endedAt = now
	if x.duplicate {
		return
	}
	st := x.c.p.unmatched
	if x.target != nil {
		st = x.target.stats
	}
	st.add(x.c.l.index, x.c.shard, x.status, now-x.startedAt)
	if x.c.p.access != nil {
		x.line = appendLine(x.line[:0], x, now)
		x.c.p.access.add(x.line)
	}
}
