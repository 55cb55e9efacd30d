package enrol

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// How long tokens are good for, and how long used and expired ones are listed afterwards.
const (
	DefaultExpires = time.Hour
	longestExpires = 30 * 24 * time.Hour
	listedFor      = 7 * 24 * time.Hour
	// repeatable is how long the holder of the key may use its token again, since the first
	// answer may have been lost on the way.
	repeatable = 10 * time.Minute
)

// Token is what is known of a one-time token. Its secret is not: the store has the hash.
type Token struct {
	ID        string    `json:"id"`
	Fleet     string    `json:"fleet"`
	Node      string    `json:"node,omitempty"` // empty: any
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt"`
	// UsedAt, UsedBy and Key say when, by which node and for which key it was used, and
	// Enrolment what that led to.
	UsedAt    time.Time `json:"usedAt,omitzero"`
	UsedBy    string    `json:"usedBy,omitempty"`
	Key       string    `json:"key,omitempty"`
	Enrolment int64     `json:"enrolment,omitempty"`
}

// hashOf is the name of a token's entry; its beginning is the token's ID.
func hashOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

const idLength = 12

// NewToken makes a token for a fleet, and for one node of it unless that is empty. expires 0 is
// DefaultExpires. The text is not kept anywhere.
func (a *Authority) NewToken(ctx context.Context, fleet, node string, expires time.Duration, by string) (text string, t Token, err error) {
	expires = cmp.Or(expires, DefaultExpires)
	if expires < time.Second || expires > longestExpires {
		return "", t, fmt.Errorf("a token for %s: %w: write a time between 1s and %s", expires, gateway.ErrInvalid, longestExpires)
	}
	if node != "" {
		if err := protocol.ValidNode(node); err != nil {
			return "", t, err
		}
	}
	if err := a.Wait(ctx); err != nil {
		return "", t, err
	}
	if _, err := a.Tokens(ctx); err != nil { // old ones are dropped
		return "", t, err
	}
	token, now := protocol.NewToken(a.secrets.Load().Authority), a.cfg.Now().UTC()
	hash := hashOf(token.Secret[:])
	t = Token{ID: hash[:idLength], Fleet: fleet, Node: node, CreatedAt: now, CreatedBy: by, ExpiresAt: now.Add(expires)}
	if _, err := a.swapToken(ctx, hash, t, 0); err != nil {
		return "", t, err
	}
	a.cfg.Log.Info("an enrolment token was made", "token", t.ID, "fleet", fleet, "node", node, "by", by, "expires", t.ExpiresAt)
	return token.Text(), t, nil
}

// Tokens lists those that can be used and those that could lately, the newest first.
func (a *Authority) Tokens(ctx context.Context) ([]Token, error) {
	entries, err := a.cfg.Tokens.Entries(ctx)
	if err != nil {
		return nil, err
	}
	list, now := []Token{}, a.cfg.Now()
	for hash, text := range entries {
		var t Token
		if err := json.Unmarshal(text, &t); err != nil {
			return nil, fmt.Errorf("read the token %.*s: %w", idLength, hash, err)
		}
		if now.Sub(t.ExpiresAt) < listedFor {
			list = append(list, t)
		} else if err := a.cfg.Tokens.Delete(ctx, hash); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b Token) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// RemoveToken makes a token useless. What it was used for stays.
func (a *Authority) RemoveToken(ctx context.Context, id, by string) error {
	entries, err := a.cfg.Tokens.Entries(ctx)
	if err != nil {
		return err
	}
	for hash := range entries {
		if len(id) == idLength && strings.HasPrefix(hash, id) {
			a.cfg.Log.Info("an enrolment token was removed", "token", id, "by", by)
			return a.cfg.Tokens.Delete(ctx, hash)
		}
	}
	return fmt.Errorf("token %q: %w: `sluice fleet token ls` shows the ids", id, gateway.ErrNotFound)
}

func (a *Authority) swapToken(ctx context.Context, hash string, t Token, revision int64) (bool, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return false, err
	}
	return a.cfg.Tokens.Swap(ctx, hash, text, revision)
}

// readToken finds the token with a secret. What is wrong with a token is said only to whoever
// has its secret.
func (a *Authority) readToken(ctx context.Context, secret []byte) (t Token, revision int64, err error) {
	text, revision, err := a.cfg.Tokens.Get(ctx, hashOf(secret))
	switch {
	case err != nil:
		return t, 0, err
	case text == nil:
		return t, 0, fmt.Errorf("%w: the token is not known here: it was removed, or is another control plane's; make one with `sluice fleet token`", protocol.ErrUnauthorized)
	}
	return t, revision, json.Unmarshal(text, &t)
}

// usable says whether a node with a key may use the token now.
func (t Token) usable(p protocol.Peer, key string, now time.Time) error {
	again := fmt.Sprintf("make another with `sluice fleet token %s`", t.Fleet)
	switch {
	case t.Fleet != p.Fleet:
		return fmt.Errorf("%w: token %s is for fleet %q, and this node wants to be in fleet %q", protocol.ErrForbidden, t.ID, t.Fleet, p.Fleet)
	case t.Node != "" && t.Node != p.Node:
		return fmt.Errorf("%w: token %s is for node %q, and this is node %q: use --node %s, or make a token for this one", protocol.ErrForbidden, t.ID, t.Node, p.Node, t.Node)
	case t.UsedAt.IsZero() && now.After(t.ExpiresAt):
		return fmt.Errorf("%w: token %s expired at %s: %s", protocol.ErrUnauthorized, t.ID, t.ExpiresAt.Format(time.RFC3339), again)
	case !t.UsedAt.IsZero() && (t.Key != key || t.UsedBy != p.Node || now.Sub(t.UsedAt) > repeatable):
		return fmt.Errorf("%w: token %s was used at %s by node %q, and a token is good for one use: %s. If that was not you, revoke that node",
			protocol.ErrUnauthorized, t.ID, t.UsedAt.Format(time.RFC3339), t.UsedBy, again)
	}
	return nil
}
