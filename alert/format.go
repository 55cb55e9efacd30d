package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// What the services take in one message, with room for headline and link.
const (
	slackBytes    = 20000 // of 40000 characters
	dingtalkBytes = 15000 // of 20000 bytes
	wecomBytes    = 3000  // of 4096 bytes
	detailBytes   = 1500
)

type object = map[string]any

// slackMessage is what Slack's incoming webhooks take. Mattermost and Rocket.Chat do, too.
func slackMessage(alerts []gateway.Alert, link string) any {
	text := "*" + headline(alerts) + "*\n" + lines(forDigest(alerts), slackBytes, func(t told) string {
		icon := ":white_check_mark: "
		if t.firing {
			icon = ":rotating_light: "
		}
		return entry(alerts, t, icon, "*", "\n")
	})
	if link != "" {
		text += "\n<" + link + "|Sluice>"
	}
	return object{"text": text}
}

// dingtalkMessage is what DingTalk's custom robots take. The headline holds "Sluice", which
// serves as the keyword that a robot may be restricted to.
func dingtalkMessage(alerts []gateway.Alert, link string) any {
	text := "**" + headline(alerts) + "**\n\n" + lines(forDigest(alerts), dingtalkBytes, func(t told) string {
		return entry(alerts, t, "- ", "**", "  \n  ")
	})
	if link != "" {
		text += "\n\n[Sluice](" + link + ")"
	}
	return object{"msgtype": "markdown", "markdown": object{"title": headline(alerts), "text": text}}
}

// signDingTalk adds the signature that a robot with a secret asks for: it holds for an hour.
func signDingTalk(u *url.URL, secret string, now time.Time) {
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	q := u.Query()
	q.Set("timestamp", timestamp)
	q.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	u.RawQuery = q.Encode()
}

// wecomMessage is what WeCom's group robots take.
func wecomMessage(alerts []gateway.Alert, link string) any {
	text := "**" + headline(alerts) + "**\n" + lines(forDigest(alerts), wecomBytes, func(t told) string {
		icon := `<font color="info">`
		if t.firing {
			icon = `<font color="warning">`
		}
		return entry(alerts, t, "> "+icon, "</font>", "\n> ")
	})
	if link != "" {
		text += "\n[Sluice](" + link + ")"
	}
	return object{"msgtype": "markdown", "markdown": object{"content": text}}
}

// entry is one alert within a message. after closes what before, and for a bold word itself,
// opens. The summary of a single alert stands in the headline already.
func entry(alerts []gateway.Alert, t told, before, after, newline string) string {
	open := after
	if after == "</font>" {
		open = ""
	}
	out := before + open + t.word + after + " "
	if len(alerts) > 1 {
		return out + t.summary + ", " + t.when
	}
	if t.detail != "" {
		return out + t.when + newline + clip(t.detail, detailBytes)
	}
	return out + t.when
}

// jsonMessage is for programs: each alert with all that is known, a digest is a longer list.
func jsonMessage(alerts []gateway.Alert, link string) any {
	out := object{"version": 1, "sender": "sluice", "summary": headline(alerts), "alerts": alerts}
	if link != "" {
		out["link"] = link
	}
	return out
}

// forDigest puts those that began first, the worst ahead.
func forDigest(alerts []gateway.Alert) []gateway.Alert {
	return slices.SortedStableFunc(slices.Values(alerts), func(a, b gateway.Alert) int {
		if a.Resolved != b.Resolved {
			if b.Resolved {
				return -1
			}
			return 1
		}
		return a.Compare(&b)
	})
}
