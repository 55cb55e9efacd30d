package ingress

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
)

// classes knows which IngressClasses are ours.
type classes struct {
	only       string // the configured one; "" takes every one of our controller
	ours       map[string]bool
	theirs     map[string]bool
	hasDefault bool // one of ours is the default
}

// classesOf sorts the classes by their controllers.
func classesOf(only string, list []*networkingv1.IngressClass) classes {
	c := classes{only: only, ours: map[string]bool{}, theirs: map[string]bool{}}
	for _, class := range list {
		if class.Spec.Controller != Controller || only != "" && class.Name != only {
			c.theirs[class.Name] = true
			continue
		}
		c.ours[class.Name] = true
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			c.hasDefault = true
		}
	}
	return c
}

// takes says whether an Ingress is ours. why is a reason for people to know that it is not,
// although it looks as if it should be.
func (c classes) takes(i *networkingv1.Ingress) (ours bool, why string) {
	if name := i.Spec.IngressClassName; name != nil {
		if c.ours[*name] {
			return true, ""
		}
		switch {
		case c.only == "" || *name != c.only:
			return false, "" // somebody else's
		case c.theirs[*name]:
			return false, fmt.Sprintf("IngressClass %q has another controller than %s, so Sluice leaves this Ingress alone: correct spec.controller of the class.", *name, Controller)
		}
		return false, fmt.Sprintf("There is no IngressClass %q, so Sluice leaves this Ingress alone: create it with the controller %s.", *name, Controller)
	}
	// The annotation is older than IngressClass, so the class need not exist.
	if name, ok := i.Annotations[annotationClass]; ok {
		return c.ours[name] || c.only != "" && name == c.only && !c.theirs[name], ""
	}
	return c.hasDefault, ""
}
