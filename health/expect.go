package health

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
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

// expectation judges answers to http probes.
type expectation struct {
	check *gateway.ActiveCheck
	good  statusRanges // empty: any
	bad   statusRanges
	body  *regexp.Regexp // nil: the body does not matter
}

func newExpectation(c *gateway.ActiveCheck) (e expectation, err error) {
	e.check = c
	if e.good, err = parseExpect(c.Expect); err != nil {
		return e, err
	}
	if e.bad, err = parseExpect(c.ExpectNot); err != nil {
		return e, err
	}
	if c.Body != "" {
		e.body, err = regexp.Compile(c.Body)
	}
	return e, err
}

func (e *expectation) status(status int) error {
	if len(e.good) > 0 && !e.good.includes(status) {
		return fmt.Errorf("status %d, expected %s", status, strings.Join(e.check.Expect, ", "))
	}
	if e.bad.includes(status) {
		return fmt.Errorf("status %d, expected any but %s", status, strings.Join(e.check.ExpectNot, ", "))
	}
	return nil
}

func (e *expectation) matches(body []byte) error {
	if e.body.Match(body) {
		return nil
	}
	return fmt.Errorf("the body does not match %q: %q", e.check.Body, printable(body))
}
