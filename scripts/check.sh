#!/usr/bin/env bash
# Everything that must hold before a change goes in, cheapest first; stops at the first step that fails.
#
#   scripts/check.sh          all steps
#   THALWEG_PAGE=1 …          builds the page, too, and drives it in Chromium (CONTRIBUTING.md says what that costs)
#   CI=true scripts/check.sh  the same, and a machine without a GPU adapter (software Vulkan counts) is a failure
#
# One profile, release, for all steps: CONTRIBUTING.md says why. What cargo-deny and typos check is in `just deps` and
# `just spelling`: compiling those two tools would cost more than all the rest, and the part of deny.toml that must
# never break (one burn, one cubecl, one wgpu, one egui) is a test in tests/architecture.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_PROGRESS_WHEN=never CARGO_NET_RETRY=10 RUST_BACKTRACE=1

if [ "${CI:-}" = true ]; then
    export THALWEG_REQUIRE_GPU=1 THALWEG_PAGE=1
fi
if [ -z "${XDG_RUNTIME_DIR:-}" ] || ! [ -d "$XDG_RUNTIME_DIR" ]; then
    XDG_RUNTIME_DIR=$(mktemp -d)   # Vulkan's loader and window systems complain without one
    export XDG_RUNTIME_DIR
    chmod 700 "$XDG_RUNTIME_DIR"
    made_runtime_dir=$XDG_RUNTIME_DIR
fi

names=() seconds=() verdicts=()
summary() {
    local code=$? i
    if [ -n "${page_build:-}" ]; then
        kill -- "-$page_build" 2>/dev/null || true   # it may have ended
        rm -f "$page_log"
    fi
    [ -z "${made_runtime_dir:-}" ] || rm -rf "$made_runtime_dir"
    # A step that was interrupted, or ended the shell by itself, has a name and no verdict yet.
    [ "${#names[@]}" -eq "${#verdicts[@]}" ] || { verdicts+=("FAILED") && seconds+=($((SECONDS - started))); }
    printf '\n%-34s %8s  %s\n' step seconds verdict
    for i in "${!names[@]}"; do
        printf '%-34s %8d  %s\n' "${names[$i]}" "${seconds[$i]}" "${verdicts[$i]}"
    done
    printf '%-34s %8d  %s\n' "all of it" "$SECONDS" "$([ "$code" -eq 0 ] && echo passed || echo "FAILED ($code)")"
}
trap summary EXIT

step() {
    local name=$1
    shift
    names+=("$name")
    started=$SECONDS
    printf '\n==> %s: %s\n' "$name" "$*"
    "$@"
    seconds+=($((SECONDS - started)))
    verdicts+=(passed)
}

# In a subshell: Debian's fallback exports a compiler that the native steps must not see.
web() (
    . scripts/web-toolchain.sh
    if [ "$WEB_TOOLCHAIN_KIND" = rustup ]; then
        cargo clippy --locked --release --lib --target wasm32-unknown-unknown -- -D warnings
    else
        # rustup's clippy cannot read what Debian's compiler wrote, so there the lints are left to the native step.
        export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/web"
        cargo check --locked --release --lib --target wasm32-unknown-unknown
    fi
)

page() {
    if [ -n "${page_build:-}" ]; then
        wait "$page_build" || { cat "$page_log" && return 1; }
        cat "$page_log"
    else
        scripts/web-build.sh
    fi
    # What the page trains is held against the program that was just tested.
    export THALWEG="${CARGO_TARGET_DIR:-$PWD/target}/release/thalweg"
    (cd web/e2e && npm ci --ignore-scripts --no-audit --no-fund && npm test)
}

smoke() {
    local said
    said=$(cargo run --release -- --help)
    printf '%s\n' "$said"
    grep -q '^Usage: thalweg' <<<"$said"
}

step "format" cargo fmt --check
if [ "${THALWEG_PAGE:-}" = 1 ] && [ -n "${THALWEG_WEB_TARGET_DIR:-}" ]; then
    # The module is built beside the other steps, in a target directory of its own: with two cores that saves what one of them
    # would wait for the other.
    page_log=$(mktemp)
    setsid nice scripts/web-build.sh >"$page_log" 2>&1 &
    page_build=$!
fi
step "clippy, native" cargo clippy --locked --release --all-targets -- -D warnings
step "clippy, browser" web
step "tests" cargo test --release
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --no-deps
step "the program starts" smoke
if [ "${THALWEG_PAGE:-}" = 1 ]; then
    step "the page" page
fi
