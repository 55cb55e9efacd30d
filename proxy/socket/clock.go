package socket

import "time"

// base is where Now counts from. The monotonic clock alone is read: half the price of a
// full time.Now.
var base = time.Now()

// Now is the number of nanoseconds since the process started, on the monotonic clock. All
// deadlines of this package are such numbers; 0 means none.
func Now() int64 { return int64(time.Since(base)) }

// Time turns a Now into a wall-clock time.
func Time(now int64) time.Time { return base.Add(time.Duration(now)) }

// Span is the time between two Nows.
func Span(from, to int64) time.Duration { return time.Duration(to - from) }
