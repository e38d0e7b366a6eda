#!/bin/sh
# Builds both programs for the RP2040 and their boot loaders, and holds their sizes against limits. Installs from Debian what is missing (compiler with its source, linker).
# usage: [TUOAN_NODE_KEYS=<public key of who signs>] firmware/boards/rp2040-w5500/check.sh
set -eu
cd "$(dirname "$0")"

# A compiler with `core` for this processor: rustup's, if it has the target; else Debian's, which brings the source of `core`.
target=thumbv6m-none-eabi
if rustc --print target-libdir --target $target 2>/dev/null | xargs -I{} test -d {}; then
    set -- 
else
    missing=
    for package in rustc-web rust-web-src lld; do
        dpkg -s $package >/dev/null 2>&1 || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing
    fi
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTC_WRAPPER= CARGO_BUILD_RUSTC_WRAPPER=
    export CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER=lld
    set -- -Zbuild-std=core,alloc
fi
# Without a key of yours: one that nobody can sign for. Sizes are the same; such a program is good for nothing else.
export TUOAN_NODE_KEYS="${TUOAN_NODE_KEYS:-$(printf 'f%.0s' $(seq 64))}"
cargo build --workspace --release --locked "$@"
python3 size.py "${CARGO_TARGET_DIR:-target}/$target/release"
