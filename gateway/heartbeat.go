package gateway

import "time"

// Heartbeat is how the newest probe of an endpoint ended.
type Heartbeat struct {
	Address string    `json:"address"`
	At      time.Time `json:"at"`
	// Failures in a row; 0 after a success.
	Failures int `json:"failures"`
	// Error says what went wrong; empty after a success.
	Error string `json:"error,omitempty"`
}
