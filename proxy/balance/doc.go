// Package balance chooses among weighted items.
//
// [RoundRobin] takes the weights and gives an index for each call of Pick; the caller
// owns what the index stands for. Its rotation may be carried over to a changed set, so
// that a change does not send every new request to the first item.
//
// Which items may be chosen (health, priorities, failed connections) is for package proxy
// to decide.
package balance
