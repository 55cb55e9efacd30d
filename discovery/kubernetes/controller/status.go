package controller

import (
	"context"
	"encoding/json"
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// addressesOf are the addresses that an Ingress shows.
func addressesOf(i *networkingv1.Ingress) []string {
	var out []string
	for _, a := range i.Status.LoadBalancer.Ingress {
		if a.IP != "" {
			out = append(out, a.IP)
		} else {
			out = append(out, a.Hostname)
		}
	}
	return out
}

// patchStatus replaces the addresses that an Ingress shows. An Ingress that is gone needs none.
func (w *writer) patchStatus(ctx context.Context, i *networkingv1.Ingress, addresses []string) error {
	points := []networkingv1.IngressLoadBalancerIngress{}
	for _, a := range addresses {
		if _, err := netip.ParseAddr(a); err == nil {
			points = append(points, networkingv1.IngressLoadBalancerIngress{IP: a})
		} else {
			points = append(points, networkingv1.IngressLoadBalancerIngress{Hostname: a})
		}
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": points}}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = w.client.networking.Patch(types.MergePatchType).Namespace(i.Namespace).Resource("ingresses").Name(i.Name).
		SubResource("status").Body(body).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
