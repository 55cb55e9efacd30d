package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The key space. Revisions and times in keys are counted down from the largest number, in
// 20 digits: the newest sorts first, which is what people ask for, and etcd reads the first
// few keys of a range cheaply but sorts all of them to find the last.
//
//	/sluice/v1/objects/<kind>/<tenant or ->/<name>                    the object
//	/sluice/v1/history/<kind>/<tenant or ->/<name>/<max - revision>   one entry for each write
//	/sluice/v1/audit/<max - nanoseconds>-<random>                     one record for each write
//	/sluice/v1/shared/<name>                                          what nodes share besides
//	/sluice/v1/ledger/<name>/<entry>                                  what is done for the whole store
//	/sluice/v1/lead/<name>/<lease>                                    who does it
//	/sluice/v1/notices/<name>/<process>                               what a process shows while it lives
const (
	root          = "/sluice/v1/"
	objectsPrefix = root + "objects/"
	historyPrefix = root + "history/"
	auditPrefix   = root + "audit/"
	sharedPrefix  = root + "shared/"
	ledgerPrefix  = root + "ledger/"
	leadPrefix    = root + "lead/"
	noticesPrefix = root + "notices/"
	noTenant      = "-"
)

const maxNameLength = 253

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// kindByFolder finds a kind by its lower-case name in keys.
var kindByFolder = func() map[string]gateway.Kind {
	m := map[string]gateway.Kind{}
	for _, k := range gateway.Kinds {
		m[folder(k)] = k
	}
	return m
}()

func folder(k gateway.Kind) string { return strings.ToLower(string(k)) }

func path(ref gateway.Ref) string {
	tenant := ref.Tenant
	if tenant == "" {
		tenant = noTenant
	}
	return folder(ref.Kind) + "/" + tenant + "/" + ref.Name
}

func objectKey(ref gateway.Ref) string { return objectsPrefix + path(ref) }

func historyOf(ref gateway.Ref) string { return historyPrefix + path(ref) + "/" }

// historyKey names a history entry by a revision that is above the previous entry's and
// not above its own: the revision of the whole store when the object was read for this
// write, plus one. The entry's exact revision is known only after the transaction.
func historyKey(ref gateway.Ref, seen int64) string {
	return historyOf(ref) + countdown(seen+1)
}

// auditKey sorts by time; the random part tells apart writes of the same nanosecond.
func auditKey(at time.Time) string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return auditPrefix + countdown(at.UnixNano()) + "-" + hex.EncodeToString(b[:])
}

func countdown(n int64) string { return fmt.Sprintf("%020d", math.MaxInt64-n) }

// refOf reads the ref out of an object's key. It is false for keys of a kind that this
// version does not know.
func refOf(key []byte) (gateway.Ref, bool) {
	parts := strings.Split(strings.TrimPrefix(string(key), objectsPrefix), "/")
	if len(parts) != 3 {
		return gateway.Ref{}, false
	}
	kind, ok := kindByFolder[parts[0]]
	ref := gateway.Ref{Kind: kind, Tenant: parts[1], Name: parts[2]}
	if ref.Tenant == noTenant {
		ref.Tenant = ""
	}
	return ref, ok && checkRef(ref) == nil
}

// checkRef says what is wrong with a ref, and how to write it instead.
func checkRef(ref gateway.Ref) error {
	if _, ok := kindByFolder[folder(ref.Kind)]; !ok || kindByFolder[folder(ref.Kind)] != ref.Kind {
		return invalid("unknown kind %q: known kinds are %v", ref.Kind, gateway.Kinds)
	}
	if err := checkName("name", ref.Name); err != nil {
		return fmt.Errorf("%s: %w", ref.Kind, err)
	}
	switch {
	case !ref.Kind.Owned() && ref.Tenant != "":
		return invalid("%s %s: objects of this kind have no tenant: leave out tenant %q", ref.Kind, ref.Name, ref.Tenant)
	case ref.Kind.Owned() && ref.Tenant == "":
		return invalid("%s %s: tenant is missing: name the tenant that owns it", ref.Kind, ref.Name)
	case ref.Kind.Owned():
		if err := checkName("tenant", ref.Tenant); err != nil {
			return fmt.Errorf("%s %s: %w", ref.Kind, ref.Name, err)
		}
	}
	return nil
}

func checkName(field, name string) error {
	if len(name) > maxNameLength || !validName.MatchString(name) {
		return invalid("%s %q: use 1 to %d lower-case letters, digits, '-' and '.', starting and ending with a letter or digit", field, name, maxNameLength)
	}
	return nil
}
