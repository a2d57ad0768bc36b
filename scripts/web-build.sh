#!/usr/bin/env bash
# Builds the page into dist/, which any web server can hand out, and prints what goes over the wire.
#
#   scripts/web-build.sh             all of it
#   THALWEG_WEB_SMALL=0 scripts/…    without wasm-opt and compressed copies, for a quicker look
#   THALWEG_BROTLI=11 scripts/…      smaller .br files, which takes minutes
#   node web/assemble.mjs dist       only lays web/ around a module that is built already
#   trunk build --release            the same by trunk
#
# Needs cargo (and rustup or Debian's rustc-web, see web-toolchain.sh), node and npm.
set -euo pipefail
cd "$(dirname "$0")/.."

# A target directory of its own where one is named: the native program can then be built at the same time.
export CARGO_TARGET_DIR=${THALWEG_WEB_TARGET_DIR:-${CARGO_TARGET_DIR:-$PWD/target}}
target=$CARGO_TARGET_DIR
# trunk calls this, too (Trunk.toml), with a folder of its own
dist=${TRUNK_STAGING_DIR:-dist}

# In a subshell: Debian's fallback exports a compiler that the native build below must not see.
(
    . scripts/web-toolchain.sh
    # a module has one megabyte of stack unless told otherwise, and threads of the desktop have two
    cargo rustc --locked --profile web --bin thalweg --target wasm32-unknown-unknown -- -C link-arg=-zstack-size=4194304
)
cargo build --locked --release --manifest-path web/bindgen/Cargo.toml --target-dir "$target/bindgen"

rm -rf "$dist"
mkdir -p "$dist"
"$target/bindgen/release/thalweg-bindgen" "$target/wasm32-unknown-unknown/web/thalweg.wasm" "$dist"

# Debian's wasm-opt (108) breaks the module, so it comes from npm.
if [ "${THALWEG_WEB_SMALL:-1}" = 1 ]; then
    [ -x web/e2e/node_modules/.bin/wasm-opt ] || npm --prefix web/e2e ci --ignore-scripts --silent --no-audit --no-fund
    web/e2e/node_modules/.bin/wasm-opt -O1 --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
        --enable-mutable-globals --enable-reference-types --enable-multivalue "$dist/thalweg_bg.wasm" -o "$dist/small.wasm"
    mv "$dist/small.wasm" "$dist/thalweg_bg.wasm"
fi

# A quick look needs no compressed copies.
THALWEG_WEB_PACK=${THALWEG_WEB_PACK:-${THALWEG_WEB_SMALL:-1}} node web/assemble.mjs "$dist"
node web/sizes.mjs "$dist"
