#!/bin/bash
# Runs the quick start: four sample backends and one Sluice. Ctrl-C (or SIGTERM) ends all of
# them within 10 seconds; when one of them ends by itself, so does the rest.
#
# SLUICE and BACKEND name the binaries, CONFIG the process configuration. `make run` builds
# the binaries first.
set -u
cd "$(dirname "$0")/../.." || exit 1
SLUICE=${SLUICE:-bin/sluice}
BACKEND=${BACKEND:-bin/backend}
CONFIG=${CONFIG:-examples/quickstart/sluice.yaml}
LISTEN=${LISTEN:-one=127.0.0.1:9101 two=127.0.0.1:9102 three=127.0.0.1:9103 four=127.0.0.1:9104}
GRACE=${GRACE:-7} # seconds that a process may take to end before it is killed; the backends take 2 at most

for binary in "$SLUICE" "$BACKEND"; do
  if ! [ -x "$binary" ]; then
    echo "quickstart: $binary is missing: run 'make run', which builds it" >&2
    exit 1
  fi
done

scratch=$(mktemp -d) || exit 1
backends='' sluice='' asked='' status=0

# A signal only takes note and ends the wait below.
trap 'asked=yes' INT TERM HUP

# begin CMD... starts a child in a process group of its own, so that the terminal's Ctrl-C
# reaches this script alone and the order of ending is ours: Sluice first, while the backends
# still answer what is on its way.
begin() {
  set -m
  "$@" </dev/null &
  set +m
}

running() { [ -n "$1" ] && jobs -rp | grep -qx "$1"; }

# end PID gives a child $GRACE seconds to end by itself.
end() {
  running "$1" || return 0
  kill -TERM "$1"
  for ((i = 0; i < GRACE * 20; i++)); do
    running "$1" || return 0
    sleep 0.05
  done
  echo "quickstart: process $1 did not end within $GRACE seconds and is killed" >&2
  kill -KILL "$1"
}

trap 'end "$sluice"; end "$backends"; rm -rf "$scratch"' EXIT

flags=()
for place in $LISTEN; do flags+=(-listen "$place"); done
begin "$BACKEND" -parent $$ -ready "$scratch/ready" "${flags[@]}"
backends=$!
while ! [ -e "$scratch/ready" ] && [ -z "$asked" ] && running "$backends"; do
  sleep 0.05
done

if [ -e "$scratch/ready" ] && [ -z "$asked" ]; then
  begin "$SLUICE" serve --config "$CONFIG"
  sluice=$!
  wait -n "$backends" "$sluice" # until one of them ends or a signal comes
  status=$?
  if [ -z "$asked" ] && ! running "$backends"; then
    echo "quickstart: the sample backends ended, so Sluice is ended too" >&2
  fi
elif [ -z "$asked" ]; then
  wait "$backends"
  status=$?
  echo "quickstart: the sample backends could not start (see the line above), so nothing is running" >&2
fi
[ -n "$asked" ] && exit 0
exit "$status"
