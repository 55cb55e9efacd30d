package main

import (
	"errors"
	"time"
)

// span is a flag's length of time. It has to be more than zero: "--for -2h" must not read as no
// limit at all.
type span time.Duration

// String implements pflag.Value.
func (s *span) String() string { return time.Duration(*s).String() }

// Type implements pflag.Value, so that GetDuration reads it.
func (*span) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("that is no length of time: write 90s, 30m or 48h")
	}
	if d <= 0 {
		return errors.New("it has to be more than zero, such as 30m")
	}
	*s = span(d)
	return nil
}
