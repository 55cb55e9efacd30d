#!/bin/sh
# Builds the real kube-apiserver and an etcd for tests, once, into the user's cache:
#   ${XDG_CACHE_HOME:-~/.cache}/sluice/kube/<digest of what is built>/{kube-apiserver,etcd}
# Needs Go and about 3 GiB of disk; the first build takes some five minutes on two cores.
# Progress goes to stderr; the last line of stdout is the directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kube
digest=$(cd "$here" && cat go.mod go.sum etcd/main.go | sha256sum | cut -c1-16)
dir=$cache/$digest

say() { echo "kube test bed: $*" >&2; }

complete() { [ -x "$dir/kube-apiserver" ] && [ -x "$dir/etcd" ]; }

finish() {
	say "$1 $dir"
	echo "$dir"
	exit 0
}

if complete; then finish "cached in"; fi

mkdir -p "$cache"
# One build at a time: packages are tested in parallel and each may find the cache empty.
# Without flock(1) they build side by side and the first rename wins.
if command -v flock >/dev/null; then
	exec 8>"$cache/lock"
	flock -n 8 || { say "waiting for another build in $cache"; flock 8; }
	if complete; then finish "cached in"; fi
	rm -rf "$cache"/building.* # left by builds that were killed
fi

work=$(mktemp -d "$cache/building.XXXXXX")
build=
cleanup() {
	[ -z "$build" ] || kill "$build" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

start=$(date +%s)
seconds() { echo $(($(date +%s) - start)); }

cd "$here"
say "downloading modules (about 600 MiB the first time)"
go list -mod=readonly -deps k8s.io/kubernetes/cmd/kube-apiserver ./etcd >"$work/packages" 2>"$work/log" || {
	cat "$work/log" >&2
	say "the modules could not be downloaded: check GOPROXY ($(go env GOPROXY))"
	exit 1
}
say "compiling kube-apiserver and etcd: at most $(wc -l <"$work/packages") packages, those in Go's build cache are skipped ($(seconds) s)"

# -v prints each package when it is compiled: what progress is counted by.
nice -n 10 go build -mod=readonly -v -trimpath -ldflags='-s -w' -o "$work/" \
	k8s.io/kubernetes/cmd/kube-apiserver ./etcd 2>"$work/log" 8>&- &
build=$!
ticks=0
while kill -0 "$build" 2>/dev/null; do
	sleep 1
	ticks=$((ticks + 1))
	[ $((ticks % 15)) -ne 0 ] || say "$(wc -l <"$work/log") packages compiled ($(seconds) s)"
done
wait "$build" || {
	build=
	tail -n 40 "$work/log" >&2
	say "the build failed after $(seconds) s; what go build said is above"
	exit 1
}
build=
rm "$work/log" "$work/packages"

# Renamed only when complete, so that a killed build leaves nothing that looks usable.
if ! complete; then
	rm -rf "$dir"
	mv "$work" "$dir"
fi
finish "built in $(seconds) s:"
