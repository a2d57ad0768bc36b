# Prepares this shell to compile for the browser (wasm32-unknown-unknown). Source it: `. scripts/web-toolchain.sh`
#
# rustup's own target where rustup can fetch it; else Debian's rustc-web with the standard library built from source.
# Afterwards plain cargo works, and WEB_TOOLCHAIN_KIND says which of the two it is: `rustup` or `debian`.
# WEB_TOOLCHAIN=debian forces the second. The second exports RUSTC: use a subshell if you go on to build natively.

web_toolchain() {
    local target=wasm32-unknown-unknown host lld
    if [ "${WEB_TOOLCHAIN:-auto}" != debian ]; then
        if rustup target add "$target" >/dev/null 2>&1 && [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
            export WEB_TOOLCHAIN_KIND=rustup
            echo "web: rustup's $target" >&2
            return 0
        fi
        echo "web: rustup cannot add $target here, falling back to Debian's rustc-web" >&2
    fi
    if ! [ -f /usr/lib/rustlib/src/rust/library/std/Cargo.toml ] || ! [ -x /usr/bin/rustc ]; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rustc-web rust-web-src || {
            echo "web: neither rustup nor apt gave a compiler for $target. Check the network, or install rustc-web and rust-web-src" >&2
            return 1
        }
    fi
    # The standard library is compiled with the program, which stable cargo does for its own compiler only.
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort WEB_TOOLCHAIN_KIND=debian
    host=$("$RUSTC" -vV | sed -n 's/^host: //p')
    lld=$(find "${RUSTUP_HOME:-$HOME/.rustup}/toolchains" -name rust-lld -path "*/$host/bin/*" 2>/dev/null | sort | tail -n 1)
    if [ -n "$lld" ]; then
        export PATH="$PATH:${lld%/*}"
    else
        command -v wasm-ld >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends lld || return 1
        export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld
    fi
    echo "web: Debian's $("$RUSTC" --version), standard library from source" >&2
}

web_toolchain
