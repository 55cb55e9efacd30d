// Package alert tells people what is wrong, and when it is over.
//
// It takes in what others know already and keeps no facts of its own: the events of package
// health, and, at each look, the problems, nodes and sources that the API shows, too
// ([Facts]). [Conditions] makes conditions of them, and a [Book] compares these with those
// that hold already, so that one condition is one alert from its beginning to its end.
//
// [Alerts] owns the book and hands what is new to receivers (Slack, DingTalk, WeCom, JSON).
// Each has a bounded queue and a goroutine of its own, so that one that is gone delays
// nobody. What waits together is told together: more than a few alerts are one digest.
// A receiver that fails is tried again with growing pauses, and told the latest state then.
//
// The nodes on one store see what each of them has found by a [Board], and the one that is
// elected there tells ([Alerts.Share]), also what one that is gone could not get told.
//
// [Rules] writes Prometheus rules for what only a time series tells, such as a share of
// errors. Who is on call, and when, is left to the receivers.
package alert
