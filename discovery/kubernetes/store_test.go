package kubernetes

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func sliceOf(namespace, name, service string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if service != "" {
		s.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	}
	return s
}

// names lists the slices that the store has of a Service.
func names(s *store, namespace, service string) []string {
	list, _ := s.get(types.NamespacedName{Namespace: namespace, Name: service})
	return slices.Sorted(maps.Keys(list))
}

func changed(s *store) []string {
	_, dirty := s.take()
	var list []string
	for of := range dirty {
		list = append(list, of.String())
	}
	slices.Sort(list)
	return list
}

func check(t *testing.T, what string, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore(t *testing.T) {
	s := newStore(func() {})
	if _, ok := s.get(types.NamespacedName{Namespace: "n", Name: "api"}); ok {
		t.Fatal("a store without a complete list claims to know")
	}
	do(t, s.Replace([]any{sliceOf("n", "a", "api"), sliceOf("n", "b", "api"), sliceOf("m", "a", "api"), sliceOf("n", "x", "")}, "1"))
	check(t, "n/api after the list", names(s, "n", "api"), []string{"a", "b"})
	check(t, "m/api after the list", names(s, "m", "api"), []string{"a"})
	if all, _ := s.take(); !all {
		t.Error("after a list not everything counts as changed")
	}

	do(t, s.Add(sliceOf("n", "c", "api")))
	do(t, s.Update(sliceOf("n", "a", "web"))) // moved to another Service
	check(t, "n/api", names(s, "n", "api"), []string{"b", "c"})
	check(t, "n/web", names(s, "n", "web"), []string{"a"})
	check(t, "changed", changed(s), []string{"n/api", "n/web"})
	check(t, "changed since", changed(s), nil)

	do(t, s.Update(sliceOf("n", "b", ""))) // belongs to none any more
	check(t, "n/api without b", names(s, "n", "api"), []string{"c"})
	do(t, s.Delete(sliceOf("n", "c", "api")))
	check(t, "n/api without c", names(s, "n", "api"), nil)
	do(t, s.Delete(sliceOf("n", "c", "api"))) // unknown by now
	check(t, "changed", changed(s), []string{"n/api"})

	do(t, s.Replace(nil, "2"))
	check(t, "m/api after an empty list", names(s, "m", "api"), nil)
	if err := s.Add("text"); err == nil {
		t.Error("a text was taken for an EndpointSlice")
	}
}

// What was handed out stays as it was: the reader uses it without a lock.
func TestStoreDoesNotChangeWhatItHandedOut(t *testing.T) {
	s := newStore(func() {})
	do(t, s.Replace([]any{sliceOf("n", "a", "api")}, "1"))
	list, _ := s.get(types.NamespacedName{Namespace: "n", Name: "api"})
	do(t, s.Add(sliceOf("n", "b", "api")))
	do(t, s.Delete(sliceOf("n", "a", "api")))
	if len(list) != 1 || list["a"] == nil {
		t.Errorf("the list changed to %v", list)
	}
}
