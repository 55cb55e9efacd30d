package kubernetes

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// client reads EndpointSlices of one cluster.
type client struct {
	rest   *rest.RESTClient
	http   *http.Client
	params runtime.ParameterCodec
	server string
	stall  time.Duration
}

func newClient(cfg Config) (*client, error) {
	config, err := loadConfig(cfg)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := discoveryv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, discoveryv1.SchemeGroupVersion)
	config.APIPath, config.GroupVersion = "/apis", &discoveryv1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.QPS = -1 // the limit of 5 a second is meant for tools that people run
	config.UserAgent = "sluice"
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	c := &client{params: runtime.NewParameterCodec(scheme), server: config.Host, stall: cfg.Stall}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	c.rest, err = rest.RESTClientForConfigAndClient(config, c.http)
	return c, err
}

func loadConfig(cfg Config) (*rest.Config, error) {
	given := 0
	for _, set := range []bool{cfg.InCluster, cfg.Kubeconfig != "", cfg.Token != nil} {
		if set {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, errors.New("none of inCluster, kubeconfig and token is set: choose one")
	case given > 1:
		return nil, errors.New("more than one of inCluster, kubeconfig and token is set: choose one")
	case cfg.InCluster:
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("use the pod's own account: %w: outside of a cluster, give kubeconfig or server", err)
		}
		return config, nil
	case cfg.Token != nil:
		return cfg.Token.config()
	}
	config, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	switch {
	case clientcmd.IsEmptyConfig(err): // whose text is for kubectl
		return nil, fmt.Errorf("read kubeconfig %s: it names no cluster: write clusters, users, contexts and current-context", cfg.Kubeconfig)
	case err != nil:
		return nil, fmt.Errorf("read kubeconfig %s: %w", cfg.Kubeconfig, err)
	}
	return config, nil
}

// config reads the files once, so that a mistake is found at once. The token is read again
// every minute and, unlike with rest.Config.BearerTokenFile, when the server refuses it.
func (t *Token) config() (*rest.Config, error) {
	if !strings.HasPrefix(t.Server, "https://") {
		return nil, fmt.Errorf("server %q: write https://HOST:PORT, since a token can be read on the way otherwise", t.Server)
	}
	token, err := os.ReadFile(t.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read tokenFile: %w", err)
	}
	if len(bytes.TrimSpace(token)) == 0 {
		return nil, fmt.Errorf("tokenFile %s is empty", t.TokenFile)
	}
	config := &rest.Config{Host: t.Server}
	config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(t.TokenFile)))
	if t.CAFile == "" {
		return config, nil
	}
	if config.CAData, err = os.ReadFile(t.CAFile); err != nil {
		return nil, fmt.Errorf("read caFile: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(config.CAData) {
		return nil, fmt.Errorf("caFile %s holds no certificate in PEM", t.CAFile)
	}
	return config, nil
}

// listWatch lists and watches all EndpointSlices. opened is called when a watch is open, silent
// when one has been given up because it said nothing.
func (c *client) listWatch(opened, silent func()) cache.ListerWatcher {
	request := func(o metav1.ListOptions) *rest.Request {
		return c.rest.Get().Resource("endpointslices").VersionedParams(&o, c.params)
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &discoveryv1.EndpointSliceList{}
			err := request(o).Timeout(time.Minute).Do(ctx).Into(list)
			return list, final(err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			w, err := OpenWatch(ctx, c.stall, func(ctx context.Context) (watch.Interface, error) { return request(o).Watch(ctx) }, func() {
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
// itself: it would wait up to half a minute without noticing that it has to stop, and
// nobody would learn that the cluster cannot be reached. Source.watch tries again instead.
// Errors that say that a resource version is too old or too new stay as they are, since
// the reflector then knows what to do.
func final(err error) error {
	if err == nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsTimeout(err) {
		return err
	}
	return errors.New(err.Error())
}

func (c *client) close() { utilnet.CloseIdleConnectionsFor(c.http.Transport) }
