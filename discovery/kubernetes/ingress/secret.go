package ingress

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/gateway"
)

// secretKey is one Secret as a certificate of one tenant.
type secretKey struct {
	tenant string
	types.NamespacedName
}

// certificates makes one certificate of each Secret that is asked for, for the hosts that it
// gets: of two Secrets for one host that of the older resource counts, unless it can't be
// used.
func (t *translator) certificates(owners []*owner) {
	var all []secretWish
	for _, o := range owners {
		for _, w := range o.secrets {
			if t.usable(w) {
				all = append(all, w)
			}
		}
	}
	type answer struct{ tenant, host string }
	taken := map[answer]secretWish{}
	for _, w := range all {
		for _, h := range w.hosts {
			a := answer{w.of.tenant, h}
			if first, ok := taken[a]; !ok || t.broken(first) && !t.broken(w) {
				taken[a] = w
			}
		}
	}
	hosts, order := map[secretKey][]string{}, map[secretKey][]secretWish{}
	whole := map[secretKey]bool{}
	for _, w := range all {
		k := w.key()
		won := 0
		for _, h := range w.hosts {
			if first := taken[answer{w.of.tenant, h}]; first.key() != k {
				w.of.report(w.field, ReasonCertificateTaken, "Host %q is served with Secret %q of %s, so Secret %q is not used for it: name one Secret for the host.", h, first.name, first.of.Subject, w.name)
				continue
			}
			hosts[k] = append(hosts[k], h)
			won++
		}
		if won > 0 || len(w.hosts) == 0 {
			order[k] = append(order[k], w)
		}
		whole[k] = whole[k] || len(w.hosts) == 0
	}
	for k, wishes := range order {
		if whole[k] {
			hosts[k] = nil // every name of the certificate
		}
		t.certificate(k, hosts[k], wishes)
	}
}

func (t *translator) certificate(k secretKey, hosts []string, wishes []secretWish) {
	s := t.secrets[k.NamespacedName]
	slices.Sort(hosts)
	ref := gateway.Ref{Kind: gateway.KindCertificate, Tenant: k.tenant, Name: objectName(t.cfg.Cluster, k.Namespace, k.Name)}
	c := &gateway.Certificate{Meta: t.meta(ref, subjectOf("Secret", &s.ObjectMeta)), Spec: gateway.CertificateSpec{
		Certificate: string(s.Data[corev1.TLSCertKey]), Key: gateway.Secret(s.Data[corev1.TLSPrivateKeyKey]), Hosts: slices.Compact(hosts)}}
	var from []Subject
	for _, w := range wishes {
		from = append(from, w.of.Subject)
	}
	t.put(c, from...)
}

// usable says whether a wish names a Secret with a pair in it that it may have.
func (t *translator) usable(w secretWish) bool {
	s := t.secrets[types.NamespacedName{Namespace: w.namespace, Name: w.name}]
	if w.namespace != w.of.Namespace && (s == nil || !grants(&s.ObjectMeta, w.of.Namespace)) {
		// Whether it exists is not told to those who may not refer to it.
		w.of.report(w.field, ReasonGrantMissing, "Secret %q of namespace %q does not let namespace %q refer to it, so it is not used: its owner sets the annotation %s: %s on it.",
			w.name, w.namespace, w.of.Namespace, annotationGrant, w.of.Namespace)
		return false
	}
	switch {
	case s == nil:
		w.of.report(w.field, ReasonSecretMissing, "There is no Secret %q of type %s in namespace %q, so its hosts have no certificate from it: create it, or correct the name.", w.name, corev1.SecretTypeTLS, w.namespace)
	case s.Type != corev1.SecretTypeTLS:
		w.of.report(w.field, ReasonSecretInvalid, "Secret %q is of type %s, so it is not used: make it of type %s.", w.name, s.Type, corev1.SecretTypeTLS)
	case len(s.Data[corev1.TLSCertKey]) == 0 || len(s.Data[corev1.TLSPrivateKeyKey]) == 0:
		w.of.report(w.field, ReasonSecretInvalid, "Secret %q has no %s or no %s, so it is not used: give it both.", w.name, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	default:
		return true
	}
	return false
}

// broken says whether the pair of a Secret can't be used. It is costly, so it is asked only
// when two of them are for one host; what is wrong is told by [gateway.Build].
func (t *translator) broken(w secretWish) bool {
	s := t.secrets[types.NamespacedName{Namespace: w.namespace, Name: w.name}]
	_, err := gateway.ParseCertificate(string(s.Data[corev1.TLSCertKey]), gateway.Secret(s.Data[corev1.TLSPrivateKeyKey]))
	return err != nil
}

func (w secretWish) key() secretKey {
	return secretKey{w.of.tenant, types.NamespacedName{Namespace: w.namespace, Name: w.name}}
}
