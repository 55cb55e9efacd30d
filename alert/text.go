package alert

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/sluice-gateway/sluice/gateway"
)

// told is an alert in words, without markup and on one line each.
type told struct {
	// head says what it is: "WARNING endpoint 10.0.0.4:8080 of upstream acme/api was ejected".
	word, summary string
	detail        string
	when          string
	firing        bool
}

func tell(a *gateway.Alert) told {
	t := told{word: strings.ToUpper(string(a.Severity)), summary: plain(a.Summary), detail: plain(a.Detail), firing: !a.Resolved}
	t.when = fmt.Sprintf("since %s, as %s sees it", a.Since.UTC().Format("2006-01-02 15:04:05 MST"), plain(a.Node))
	if a.Resolved {
		t.word = "RESOLVED"
		t.when = fmt.Sprintf("over at %s, after %s, as %s sees it", a.Ended.UTC().Format("2006-01-02 15:04:05 MST"),
			max(a.Ended.Sub(a.Since), 0).Round(time.Second), plain(a.Node))
	}
	return t
}

// headline sums a message up: the alert itself, or how many there are.
func headline(alerts []gateway.Alert) string {
	if len(alerts) == 1 {
		t := tell(&alerts[0])
		return "Sluice: " + t.word + " " + t.summary
	}
	firing, critical := 0, 0
	for i := range alerts {
		if !alerts[i].Resolved {
			firing++
			if alerts[i].Severity == gateway.SeverityCritical {
				critical++
			}
		}
	}
	return fmt.Sprintf("Sluice: %d alerts at once: %d began (%d critical), %d over", len(alerts), firing, critical, len(alerts)-firing)
}

// plain takes from a text what chat services would read as markup: text of tenants and of
// their endpoints must not mention everybody, or show a link as something else.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch r {
		case '<':
			return '\u2039'
		case '>':
			return '\u203a'
		case '[':
			return '('
		case ']':
			return ')'
		case '`':
			return '\''
		case '*', '~', '@', '#', '|', '\\', '!':
			return swap[r]
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)), " ")
}

// swap are full-width twins of signs that mark something up.
var swap = map[rune]rune{'*': '\uff0a', '~': '\uff5e', '@': '\uff20', '#': '\uff03', '|': '\uff5c', '\\': '\uff3c', '!': '\uff01'}

// lines fills a digest up to so many bytes and says how many alerts were left out: those that
// began before those that are over, the worst first.
func lines(alerts []gateway.Alert, most int, line func(told) string) string {
	const note = 80 // for what is left out
	var b strings.Builder
	for i := range alerts {
		text := line(tell(&alerts[i])) + "\n"
		if i > 0 && b.Len()+len(text)+note > most {
			fmt.Fprintf(&b, "... and %d more: see sluice alerts ls\n", len(alerts)-i)
			break
		}
		b.WriteString(text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
