package kubernetes

import (
	"net"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// RESTConfig is how the cluster of cfg is reached, for clients that set the group and the
// codec themselves. Its errors say what is wrong with the kubeconfig or the pod's account.
func RESTConfig(cfg Config) (*rest.Config, error) {
	config, err := loadConfig(cfg)
	if err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.QPS = -1 // the limit of 5 a second is meant for tools that people run
	config.UserAgent = "sluice"
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	return config, nil
}
