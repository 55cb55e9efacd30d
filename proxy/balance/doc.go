// Package balance chooses among weighted items.
//
// [RoundRobin] takes the weights and gives an index for each call of Pick, [Random] one by
// chance, and [Ring] the one that a key belongs to; the caller owns what an index stands for.
// [Latency] is a moving average to choose by. Nothing here allocates or takes a lock for a
// choice. A rotation may be carried over to a changed set, so that a change does not send every
// new request to the first item, and a Ring moves few keys when its items change.
//
// Which items may be chosen (health, priorities, failed connections) is for package proxy
// to decide.
package balance
