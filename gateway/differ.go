package gateway

import "iter"

// Differing walks two lists that are sorted by compare, such as the hosts of two snapshots,
// and yields the pairs that are not one and the same item; the first or the second is nil
// when it is in one list only. Snapshots share what did not change, so the walk costs little
// more than a comparison of pointers for each item.
func Differing[T any](before, after []*T, compare func(a, b *T) int) iter.Seq2[*T, *T] {
	return func(yield func(old, new *T) bool) {
		i, j := 0, 0
		for i < len(before) || j < len(after) {
			if i < len(before) && j < len(after) && before[i] == after[j] {
				i, j = i+1, j+1
				continue
			}
			var old, new *T
			order := 0
			if i < len(before) && j < len(after) {
				order = compare(before[i], after[j])
			}
			if i < len(before) && (j == len(after) || order <= 0) {
				old = before[i]
			}
			if j < len(after) && (i == len(before) || order >= 0) {
				new = after[j]
			}
			if old != nil {
				i++
			}
			if new != nil {
				j++
			}
			if !yield(old, new) {
				return
			}
		}
	}
}

// CompareUpstreams orders upstreams as a snapshot does.
func CompareUpstreams(a, b *EffectiveUpstream) int { return a.Key.Compare(b.Key) }
