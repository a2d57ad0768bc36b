#!/usr/bin/env bash
# Counts the kernels that one LoRA training step launches on WebGPU, by cubecl's own launch log: the launches of a long and of
# a short measurement, divided by the steps between them.
#
#   scripts/count-dispatches.sh [METHOD]     METHOD: seq (default) or i_lora
set -euo pipefail
cd "$(dirname "$0")/.."
method=${1:-seq}
program=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release/thalweg
[ -x "$program" ] || cargo build --release
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$(mktemp -d)}
folder=$(mktemp -d) # cubecl reads its settings from the working directory
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '[profiling]\nlogger = { level = "minimal", file = "%s/launches.log" }\n' "$folder" >cubecl.toml
count() {
    rm -f launches.log
    "$program" --quiet bench --device webgpu --shapes stories260K --method "$method" --fixed-steps "$1" >/dev/null
    grep -c 'Executing' launches.log || true
}
few=$(count 2)
many=$(count 6)
layers=5
per_step=$(( (many - few) / 4 ))
echo "$method, stories260K's shape, 8 x 128 tokens, rank 8 on q and v: $per_step kernels a step, $(( (per_step + layers / 2) / layers )) a layer with everything else shared out over $layers layers"
