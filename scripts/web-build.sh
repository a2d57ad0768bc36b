#!/usr/bin/env bash
# Builds the page into dist/, which any web server can hand out, and prints what goes over the wire.
#
#   scripts/web-build.sh             all of it
#   THALWEG_WEB_SMALL=0 scripts/…    without wasm-opt, for a quicker look
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
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

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

cp web/index.html web/page.css web/page.js web/worker.js web/storage.js web/turns.js web/manifest.webmanifest web/icon.svg "$dist"
sed -i "s/name=\"thalweg-bytes\" content=\"0\"/name=\"thalweg-bytes\" content=\"$(stat -c %s "$dist/thalweg_bg.wasm")\"/" "$dist/index.html"
stamp=$(cd "$dist" && find . -type f | sort | xargs sha256sum | sha256sum | cut -c 1-12)
files=$(cd "$dist" && find . -type f | sort | sed 's/.*/"&"/' | paste -sd, -)
sed -e "s/__VERSION__/thalweg-$version-$stamp/" -e "s|\"__FILES__\"|\"./\",$files|" web/sw.js >"$dist/sw.js"

node web/sizes.mjs "$dist"
