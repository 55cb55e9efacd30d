package health

import (
	"fmt"
	"strconv"
	"strings"
)

// statusRange is an inclusive range of statuses.
type statusRange struct{ low, high int }

type statusRanges []statusRange

// parseExpect reads statuses ("204") and ranges ("200-399").
func parseExpect(list []string) (statusRanges, error) {
	ranges := make(statusRanges, 0, len(list))
	for _, text := range list {
		from, to, isRange := strings.Cut(text, "-")
		low, err := strconv.Atoi(from)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(to)
		}
		if err != nil || low < 100 || high > 999 || low > high {
			return nil, fmt.Errorf("cannot read the expected status %q: write a status or a range such as 200-399", text)
		}
		ranges = append(ranges, statusRange{low, high})
	}
	return ranges, nil
}

func (rs statusRanges) includes(status int) bool {
	for _, r := range rs {
		if status >= r.low && status <= r.high {
			return true
		}
	}
	return false
}
