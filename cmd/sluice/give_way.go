package main

import (
	"runtime"
	"time"
)

// breath is long enough for requests that have arrived to be taken up.
const breath = 20 * time.Microsecond

// giveWay lets requests go first that have arrived. A change is a chain of goroutines that wake each
// other, over a millisecond of work, and with one core to run on Go looks at the network only when
// nothing else can run; so the chain is cut into pieces. With several cores another one looks.
func giveWay() {
	if runtime.GOMAXPROCS(0) == 1 {
		time.Sleep(breath)
	}
}
