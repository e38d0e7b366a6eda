#!/usr/bin/env bash
# Builds the firmware for QEMU's lm3s6965evb and prints where it is. With rustup's own `thumbv7m-none-eabi` a plain `cargo build --release` does; without
# it, Debian's compiler builds the core library from source (packages rustc-web, rust-web-src, lld).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=thumbv7m-none-eabi
options=(--release --locked)
if [[ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]]; then
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER=lld
    options+=(-Zbuild-std=core)
fi
# No wrapper: what it caches was made by another compiler.
export RUSTC_WRAPPER= CARGO_TARGET_DIR="${BOARD_TARGET_DIR:-$PWD/target}"
cargo build "${options[@]}" >&2
echo "$CARGO_TARGET_DIR/$target/release/tuoan-node-qemu-lm3s6965"
