package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span written as Go writes it: "250ms", "2s", "1h30m".
type Duration time.Duration

// Std returns the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest form: "2s", "1m30s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Negative spans are refused.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write a number and a unit, such as 500ms, 2s or 1h30m", b)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative: write a duration such as 500ms, 2s or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written as a number with an optional unit k, m or g
// (powers of 1024, upper or lower case), as nginx writes sizes.
type Size int64

// String is the shortest exact form: 10485760 is "10m".
func (s Size) String() string {
	for _, u := range []struct {
		shift uint
		name  string
	}{{30, "g"}, {20, "m"}, {10, "k"}} {
		if s != 0 && s&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(int64(s>>u.shift), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(b []byte) error {
	text, shift := string(b), uint(0)
	if n := len(text); n > 0 {
		switch text[n-1] | 0x20 {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		}
		if shift > 0 {
			text = text[:n-1]
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > (1<<62)>>shift {
		return fmt.Errorf("%q is not a size: write bytes, or a number with k, m or g, such as 64k or 10m", b)
	}
	*s = Size(v << shift)
	return nil
}
