package gateway

// Bounds of the whole numbers that weights are written in.
const (
	// exactTotal is how large the sum of weights may be for shares that come out exactly. It
	// keeps rendered weights readable, and the proxy works out a turn of this length ahead.
	exactTotal = 10_000
	// firstTotal and lastTotal are the sums that are tried for others, each twice as large as
	// the one before, until every place is within a hundredth of its share.
	firstTotal, lastTotal = 1 << 10, 1 << 24
)

// member is an endpoint, and the place that decided its attributes.
type member struct {
	*Endpoint
	place int
}

// divideRequests gives the endpoints weights with which each place gets its share of the
// requests, within each priority. members are all endpoints, and shares those of their places.
// Endpoints that get no new request leave their part to others of their place. Verdicts play no
// role, so that all nodes agree about weights: what an ejected endpoint does not get goes to
// all others (docs/decisions/0009-shares-of-places.md).
func divideRequests(members []member, shares []int) {
	groups := map[int]*division{}
	for _, m := range members {
		d := groups[m.Priority]
		if d == nil {
			d = &division{shares: shares, sums: make([]int, len(shares))}
			groups[m.Priority] = d
		}
		if m.usable() && shares[m.place] > 0 {
			d.members = append(d.members, m)
			d.sums[m.place] += m.Weight
		}
	}
	for _, d := range groups {
		d.settle()
	}
	for _, m := range members {
		if w := groups[m.Priority].weight(m.place, m.Weight); w != m.Weight {
			m.OwnWeight, m.Weight = m.Weight, w
		}
	}
}

// division is how the requests of one priority are divided.
type division struct {
	shares  []int    // of the places
	members []member // that get requests
	sums    []int    // of their own weights, by place
	whole   int      // sum of the shares of places that have members
	total   int      // about the sum of the weights that they get; 0: their own ones are right
}

// settle chooses the total.
func (d *division) settle() {
	places := 0
	for place, sum := range d.sums {
		if sum > 0 {
			places++
			d.whole += d.shares[place]
		}
	}
	if places < 2 {
		return
	}
	if d.total = d.exact(); d.total <= exactTotal {
		return
	}
	for d.total = firstTotal; d.total < lastTotal && !d.near(); {
		d.total *= 2
	}
}

// weight is what an endpoint gets for the weight that it has on its own.
func (d *division) weight(place, own int) int {
	switch {
	case own == 0 || d.shares[place] == 0:
		return 0
	case d.total == 0 || d.sums[place] == 0: // nobody to divide with, or leaving
		return own
	}
	part, of := d.shares[place]*own*d.total, d.whole*d.sums[place]
	return max(1, (2*part+of)/(2*of))
}

// exact is the smallest total with which all weights come out whole, or one above exactTotal.
func (d *division) exact() int {
	total := 1
	for _, m := range d.members {
		of := d.whole * d.sums[m.place]
		of /= gcd(of, d.shares[m.place]*m.Weight)
		if total = total / gcd(total, of) * of; total > exactTotal {
			break
		}
	}
	return total
}

// near says whether the total gives each place its share, give or take a hundredth of it.
func (d *division) near() bool {
	got, all := make([]int, len(d.sums)), 0
	for _, m := range d.members {
		w := d.weight(m.place, m.Weight)
		got[m.place] += w
		all += w
	}
	for place, sum := range d.sums {
		due := d.shares[place] * all // both times whole
		if off := got[place]*d.whole - due; sum > 0 && max(off, -off)*100 > due {
			return false
		}
	}
	return true
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
