package controller

import (
	"context"
	"errors"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/sluice-gateway/sluice/discovery/kubernetes"
)

// callTimeout bounds one request that is not a watch.
const callTimeout = time.Minute

// client talks to the API groups that are needed, with a scheme of its own: client-go's
// clientset would link every group there is.
type client struct {
	core, networking, events, coordination *rest.RESTClient

	http   *http.Client
	params runtime.ParameterCodec
	server string
	stall  time.Duration
}

func newClient(cfg kubernetes.Config) (*client, error) {
	config, err := kubernetes.RESTConfig(cfg)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, networkingv1.AddToScheme, eventsv1.AddToScheme, coordinationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c := &client{params: runtime.NewParameterCodec(scheme), server: config.Host, stall: cfg.Stall}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	for _, g := range []struct {
		to   **rest.RESTClient
		path string
		gv   schema.GroupVersion
	}{
		{&c.core, "/api", corev1.SchemeGroupVersion},
		{&c.networking, "/apis", networkingv1.SchemeGroupVersion},
		{&c.events, "/apis", eventsv1.SchemeGroupVersion},
		{&c.coordination, "/apis", coordinationv1.SchemeGroupVersion},
	} {
		metav1.AddToGroupVersion(scheme, g.gv)
		of := rest.CopyConfig(config)
		of.APIPath, of.GroupVersion = g.path, &g.gv
		if *g.to, err = rest.RESTClientForConfigAndClient(of, c.http); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *client) close() { utilnet.CloseIdleConnectionsFor(c.http.Transport) }

// listWatch lists and watches a resource of all namespaces. list makes an empty list, opened
// is called when a watch is open, and silent when one is given up because it said nothing.
func (c *client) listWatch(of *rest.RESTClient, resource, fields string, list func() runtime.Object, opened, silent func()) cache.ListerWatcher {
	request := func(o metav1.ListOptions) *rest.Request {
		o.FieldSelector = fields
		return of.Get().Resource(resource).VersionedParams(&o, c.params)
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			l := list()
			err := request(o).Timeout(callTimeout).Do(ctx).Into(l)
			return l, final(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			w, err := kubernetes.OpenWatch(ctx, c.stall, func(ctx context.Context) (watch.Interface, error) { return request(o).Watch(ctx) }, func() {
				silent()
				c.close() // the connection may be dead, too
			})
			if err != nil {
				return nil, final(err)
			}
			opened()
			return w, nil
		},
	}
}

// final hides from the reflector that an error is one after which it would try again by
// itself, for up to half a minute without noticing that it has to stop. Errors that say that
// a resource version is too old stay as they are: the reflector then lists anew.
func final(err error) error {
	if err == nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsTimeout(err) {
		return err
	}
	return errors.New(err.Error())
}
