package gateway

import "cmp"

// DerivedFrom says what an object follows from that nobody wrote. It is changed there.
type DerivedFrom struct {
	// Source that makes it, such as "kubernetes/default".
	Source string `json:"source"`
	// Cluster, Namespace, Kind and Name of the resource. Empty where it is not made from one.
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name,omitempty"`
}

// String reads "Ingress shop/web of cluster default", or the source where there is no resource.
func (d DerivedFrom) String() string {
	if d.Name == "" {
		return d.Source
	}
	text := d.Kind + " "
	if d.Namespace != "" {
		text += d.Namespace + "/"
	}
	return text + d.Name + " of cluster " + cmp.Or(d.Cluster, "default")
}
