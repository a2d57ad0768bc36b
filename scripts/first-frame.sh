#!/usr/bin/env bash
# How long the window takes: from the start of the program to its first drawn frame, on a screen that nobody sees.
#
#   scripts/first-frame.sh [PICTURE.png]     needs Xvfb, xdotool and ImageMagick (apt: xvfb xdotool imagemagick)
#
# The release build must be there. The window's last layout is left alone: it runs with a home folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
picture=${1:-/dev/null}
program=${CARGO_TARGET_DIR:-target}/release/thalweg
[ -x "$program" ] || { echo "build it first: cargo build --release" >&2; exit 1; }
for tool in Xvfb xdotool import; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt install xvfb xdotool imagemagick" >&2; exit 1; }
done

home=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$home"' EXIT
exec 3>"$home/display"
Xvfb -displayfd 3 -screen 0 1280x800x24 >/dev/null 2>&1 &
until [ -s "$home/display" ]; do sleep 0.05; done
DISPLAY=:$(cat "$home/display")
export DISPLAY HOME="$home" XDG_DATA_HOME="$home/data" XDG_CONFIG_HOME="$home/config" XDG_RUNTIME_DIR="$home"
unset WAYLAND_DISPLAY

# The last colour of the window's middle says whether anything was drawn: an empty screen is black.
drawn() {
    [ "$(import -silent -window root -crop 1x1+640+400 -depth 8 rgb:- | od -An -tx1 | tr -d ' ')" != 000000 ]
}
for round in first second; do
    start=$(date +%s.%N)
    "$program" >"$home/said" 2>&1 &
    window=$!
    until drawn; do
        kill -0 "$window" 2>/dev/null || { cat "$home/said" >&2; exit 1; }
        sleep 0.02
    done
    echo "$round start to first frame: $(echo "$(date +%s.%N) - $start" | bc) s"
    sleep 2
    [ "$picture" = /dev/null ] || import -silent -window root "$picture"
    kill "$window"
    wait "$window" 2>/dev/null || true
    until ! drawn; do sleep 0.05; done
done
