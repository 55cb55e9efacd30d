package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/discovery/kubernetes/ingress"
)

// eventLife is after how long an event is written again for what is still wrong. API servers
// forget events after an hour.
const eventLife = 50 * time.Minute

// knownLife is how long the name of an event that was settled is not used again. No API server
// is set to remember events for longer.
const knownLife = 24 * time.Hour

// longestNote bounds the text of an event, as the API does.
const longestNote = 1024

// eventKey is what makes two events the same.
type eventKey struct {
	uid          types.UID
	reason, note string
}

// writeEvents writes an event for each problem that has none, and forgets those that are
// settled.
func (w *writer) writeEvents(ctx context.Context, problems []ingress.Problem, now time.Time) error {
	standing := make(map[eventKey]bool, len(problems))
	var errs []error
	for _, p := range problems {
		k := eventKey{p.UID, p.Reason, p.Message}
		if standing[k] {
			continue // of another field, in the same words
		}
		standing[k] = true
		if at, ok := w.told[k]; ok && now.Sub(at) < eventLife {
			continue
		}
		if err := w.event(ctx, p, k, now); err != nil {
			errs = append(errs, fmt.Errorf("write an event for %s: %w", p.Subject, err))
			continue
		}
		w.told[k], w.known[k] = now, now
	}
	for k := range w.told {
		if !standing[k] {
			delete(w.told, k)
		}
	}
	for k, at := range w.known {
		if !standing[k] && now.Sub(at) > knownLife {
			delete(w.known, k)
		}
	}
	return firstOf(errs)
}

// dueAgain says whether an event has to be written again.
func (w *writer) dueAgain(now time.Time) bool {
	for _, at := range w.told {
		if now.Sub(at) >= eventLife {
			return true
		}
	}
	return false
}

// event writes one event. Its name follows from what it says, so that another process, or
// this one after a restart, does not write it again; what has been settled meanwhile and is
// wrong again gets a new one.
func (w *writer) event(ctx context.Context, p ingress.Problem, k eventKey, now time.Time) error {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(k.uid), k.reason, k.note}, "\x00")))
	name := hex.EncodeToString(sum[:8])
	if _, again := w.known[k]; again {
		name += fmt.Sprintf(".%x", now.UnixNano())
	}
	api := map[string]string{"Service": "v1"}[p.Kind]
	if api == "" {
		api = "networking.k8s.io/v1"
	}
	e := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: p.Namespace, Name: shortened(p.Name, 200) + "." + name},
		EventTime:           metav1.NewMicroTime(now),
		ReportingController: ingress.Controller,
		ReportingInstance:   shortened("sluice-"+w.node, 128),
		Action:              "Translate",
		Reason:              p.Reason,
		Regarding:           corev1.ObjectReference{APIVersion: api, Kind: p.Kind, Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Note:                note(p),
		Type:                p.Type,
	}
	if e.Namespace == "" {
		e.Namespace = metav1.NamespaceDefault // where events of what has no namespace belong
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := w.client.events.Post().Namespace(e.Namespace).Resource("events").Body(e).Do(ctx).Error()
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil
	case apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil // the namespace goes, and its resources with it
	}
	return err
}

func note(p ingress.Problem) string {
	if p.Field == "" {
		return shortened(p.Message, longestNote)
	}
	return shortened(p.Field+": "+p.Message, longestNote)
}

// shortened cuts text to n bytes.
func shortened(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-3], "") + "..."
}
