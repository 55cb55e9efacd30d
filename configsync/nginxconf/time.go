package nginxconf

import (
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// What Build fills in; used here when a snapshot comes without.
const (
	defaultConnect  = gateway.Duration(2 * time.Second)
	defaultResponse = gateway.Duration(60 * time.Second)
	defaultIdle     = gateway.Duration(30 * time.Second)
	defaultBodySize = gateway.Size(10 << 20)
)

// nginxTime writes a duration in nginx's units, rounded up to a millisecond: nginx knows
// nothing shorter, and 0 would mean something else.
func nginxTime(d, byDefault gateway.Duration) string {
	if d <= 0 {
		d = byDefault
	}
	std := d.Std()
	if std%time.Second == 0 {
		return strconv.FormatInt(int64(std/time.Second), 10) + "s"
	}
	return strconv.FormatInt(int64((std+time.Millisecond-1)/time.Millisecond), 10) + "ms"
}
