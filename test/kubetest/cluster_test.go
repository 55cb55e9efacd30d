package kubetest_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-gateway/sluice/test/kubetest"
)

func TestCluster(t *testing.T) {
	c := kubetest.Start(t)
	c.CreateNamespace("shop")
	c.CreateService("shop", "api", corev1.ServicePort{Name: "http", Port: 80})
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "api-1", Labels: map[string]string{discoveryv1.LabelServiceName: "api"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
	}
	created := c.CreateSlice(slice)
	slice.Endpoints[0].Addresses[0] = "10.0.0.2"
	updated := c.UpdateSlice(slice)
	if created.ResourceVersion == "" || updated.ResourceVersion == created.ResourceVersion {
		t.Errorf("resource versions %q, %q after the update", created.ResourceVersion, updated.ResourceVersion)
	}

	c.StopAPI()
	c.StartAPI()
	if kept := c.UpdateSlice(slice); kept.UID != created.UID {
		t.Errorf("after a restart the slice is another one: UID %s, was %s", kept.UID, created.UID)
	}
	c.StartSecond()
	c.StopAPI()
	if kept := c.UpdateSlice(slice); kept.UID != created.UID {
		t.Errorf("through the second server the slice is another one: UID %s, was %s", kept.UID, created.UID)
	}
	c.DeleteSlice("shop", "api-1")
}
