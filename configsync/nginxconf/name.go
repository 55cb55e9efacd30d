package nginxconf

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxName bounds an encoded name, so that two of them and an extension fit into the 255
// bytes that file systems allow.
const maxName = 100

// upstreamName is the upstream's name in nginx and the stem of its file: "acme.api".
func upstreamName(k gateway.UpstreamKey) string {
	return encodeName(k.Tenant, "-") + "." + encodeName(k.Name, "-.")
}

// UpstreamName is the name of an upstream in nginx, as it stands in outcomes.
func UpstreamName(k gateway.UpstreamKey) string { return upstreamName(k) }

// maxVariable is the longest name of a variable that fits into the buckets of nginx's
// variables hash, 64 bytes by default: 8 + align(46 + 2, 8) + 8.
const maxVariable = 46

// routeVariable is the variable that holds the upstream chosen for a request: names of
// variables have letters, digits and underscores only.
func routeVariable(r *gateway.EffectiveRoute) string {
	return variable("sluice_to_", r.Tenant, r.Name)
}

// schemeVariable is how the upstream chosen for a request is spoken to.
func schemeVariable(r *gateway.EffectiveRoute) string {
	return variable("sluice_by_", r.Tenant, r.Name)
}

// variable is a name for what belongs to an object of a tenant.
func variable(prefix, tenant, object string) string {
	name := prefix + encodeName(tenant, "") + "_z" + encodeName(object, "")
	if len(name) > maxVariable {
		name = name[:maxVariable-18] + "_h" + shortHash(name)
	}
	return "$" + name
}

// shortVariable is a name for what there may be many of: two of them fit into one bucket of that
// hash, so that nginx finds a size for it with hundreds of them.
func shortVariable(kind byte, r *gateway.EffectiveRoute, more string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", r.Tenant, r.Name, more))
	return "$sl" + string(kind) + "_" + strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
}

// encodeName writes a name with lower-case letters, digits and the punctuation in keep; any
// other byte becomes "_" and two hex digits, and "_" is doubled. Different names stay
// different, also for nginx, which compares upstream names without regard to case. A long
// name is cut and ends in its hash.
func encodeName(name, keep string) string {
	if name == "" {
		return "_e"
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case c == '_':
			b.WriteString("__")
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	if b.Len() <= maxName {
		return b.String()
	}
	return b.String()[:maxName] + "_h" + shortHash(name)
}

// shortHash is 16 hex digits.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// maxShown bounds a name that stands where nothing depends on all of it.
const maxShown = 300

// commentName writes a ref for a comment: on one line whatever it holds.
func commentName(ref gateway.Ref) string {
	s := ref.String()
	if len(s) > maxShown { // nginx reads a comment of 4 KiB as a word that never ends
		s = strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	if hasControl(s) || strings.ToValidUTF8(s, "?") != s {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// validHost says whether a host name, as a claim writes it, can stand in server_name. "*"
// is not one: it becomes the default server.
func validHost(host string) bool {
	name := strings.TrimPrefix(host, "*.")
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && strings.Trim(inner, "0123456789abcdef:.") == ""
	}
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
