package nginxconf

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
)

// runLength is how many neighbouring files share one sum in a tree's digest, so that a
// change reads its own run and not every file. Nodes and control plane have to agree on it.
const runLength = 128

type sum = [sha256.Size]byte

// summedFile is a file with what it adds to a tree's digest.
type summedFile struct {
	File
	sum sum
}

func summed(f File) summedFile { return summedFile{File: f, sum: f.sum(digestPlace)} }

// sum covers the path, the mode and every byte, with blank blanked out in the file that
// holds the digest.
func (f *File) sum(blank string) sum {
	data := f.Data
	if f.Path == DigestFile {
		data = strings.Replace(data, blank, "", 1)
	}
	h := sha256.New()
	var head [300]byte
	b := strconv.AppendInt(head[:0], int64(len(f.Path)), 10)
	b = append(append(append(b, ' '), f.Path...), ' ')
	b = append(strconv.AppendUint(b, uint64(f.Mode), 8), ' ')
	b = append(strconv.AppendInt(b, int64(len(data)), 10), ' ')
	h.Write(b)
	_, _ = io.WriteString(h, data) // a hash takes everything
	return sum(h.Sum(nil))
}

// digestOf sums up the sums of files that are sorted by path.
func digestOf(runs []sum) string {
	h := sha256.New()
	for i := range runs {
		h.Write(runs[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sumRun(sums []sum) sum {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	return sum(h.Sum(nil))
}

// table holds the files of a tree, sorted by path, with the sums that its digest is made of.
type table struct {
	files []File
	sums  []sum // of files
	runs  []sum // of runLength sums each
}

// fill takes all files anew. Of several with one path the first one counts: the routes of
// several hosts have one split.
func (t *table) fill(all []summedFile) {
	slices.SortStableFunc(all, func(a, b summedFile) int { return cmp.Compare(a.Path, b.Path) })
	all = slices.CompactFunc(all, func(a, b summedFile) bool { return a.Path == b.Path })
	t.files, t.sums, t.runs = make([]File, len(all)), make([]sum, len(all)), t.runs[:0]
	for i := range all {
		t.files[i], t.sums[i] = all[i].File, all[i].sum
	}
	for run := range slices.Chunk(t.sums, runLength) {
		t.runs = append(t.runs, sumRun(run))
	}
}

// replace puts a file in the place of the one with its path, which has to be there.
func (t *table) replace(f summedFile) {
	i, _ := slices.BinarySearchFunc(t.files, f.Path, func(f File, path string) int { return cmp.Compare(f.Path, path) })
	t.files[i], t.sums[i] = f.File, f.sum
	run := i / runLength
	t.runs[run] = sumRun(t.sums[run*runLength : min(len(t.sums), (run+1)*runLength)])
}

// tree is a copy that stays as it is.
func (t *table) tree() Tree {
	tree := Tree{Files: slices.Clone(t.files), Digest: digestOf(t.runs)}
	f := tree.File(DigestFile)
	f.Data = strings.Replace(f.Data, digestPlace, digestText(tree.Digest), 1)
	return tree
}
