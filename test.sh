#!/usr/bin/env bash
# Sets up what the tests need on a fresh Debian machine and runs all of them: format, lints, unit, property, end-to-end.
# Needs: Rust (rustup), a C compiler, Go, Python 3; root or sudo for Debian packages that are missing.
# Environment: LONG_TESTS=1 runs the long crash test (100 rounds instead of 10) and all that is tried in a browser.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "Servers that the tests talk to"
missing=()
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
have mosquitto || missing+=(mosquitto)
have mosquitto_pub || missing+=(mosquitto-clients)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
have runuser || missing+=(util-linux)
have openssl || missing+=(openssl)
have ffmpeg || missing+=(ffmpeg)
have npm || missing+=(nodejs npm)
have chromium || missing+=(chromium)
fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fontconfig fonts-noto-cjk)
if [ ${#missing[@]} -gt 0 ]; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -q
  # No package may start a server of its own: the tests start theirs on free loopback ports.
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

# The end-to-end tests take these from the environment.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tuoan
mkdir -p "$cache/bin"
export TESTS_INFLUXD=$cache/bin/influxd
pinned=$(sha256sum tests/servers/influxd/go.sum | cut -c1-16)
if [ ! -x "$TESTS_INFLUXD" ] || [ "$(cat "$cache/bin/influxd.pin" 2>/dev/null)" != "$pinned" ]; then
  step "InfluxDB 2 from Go modules"
  tests/servers/influxd/build.sh "$cache/bin"
  echo "$pinned" >"$cache/bin/influxd.pin"
fi
export TESTS_RTSP=$cache/bin/rtsp
pinned=$(cat tests/servers/rtsp/go.sum tests/servers/rtsp/main.go | sha256sum | cut -c1-16)
if [ ! -x "$TESTS_RTSP" ] || [ "$(cat "$cache/bin/rtsp.pin" 2>/dev/null)" != "$pinned" ]; then
  step "An RTSP server from Go modules"
  tests/servers/rtsp/build.sh "$cache/bin"
  echo "$pinned" >"$cache/bin/rtsp.pin"
fi
export TESTS_PYTHON=$cache/venv/bin/python
if ! "$TESTS_PYTHON" -c 'import aiosmtpd, paho.mqtt.client' 2>/dev/null; then
  step "An independent MQTT client and a mail server (Eclipse Paho and aiosmtpd for Python)"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install -q -r tests/servers/requirements.txt
fi

if ! "$TESTS_PYTHON" -c 'import onnxruntime, onnx, PIL' 2>/dev/null; then
  step "ONNX Runtime, the second backend of the models"
  "$cache/venv/bin/pip" install -q -r models/requirements-check.txt
fi
TESTS_ONNXRUNTIME=$("$TESTS_PYTHON" -c 'import glob, os, onnxruntime; print(glob.glob(os.path.dirname(onnxruntime.__file__) + "/capi/libonnxruntime.so.*")[0])')
export TESTS_ONNXRUNTIME

step "The models are those that their cards name, and say what golden.json says"
"$TESTS_PYTHON" models/room-climate/check.py
"$TESTS_PYTHON" models/check.py

step "Format"
cargo fmt --all --check
cargo fmt --manifest-path firmware/boards/qemu-lm3s6965/Cargo.toml --check
cargo fmt --manifest-path firmware/boards/rp2040-w5500/Cargo.toml --all --check

step "Build the programs"
cargo build --release --workspace --bins

step "Unit, property and end-to-end tests"
# Every suite runs, so that one run names all that fails.
cargo test --release --workspace --no-fail-fast

step "The rules' own test cases"
target/release/tuoan rules check

step "The pages in Chromium: every page of every role with axe-core"
(cd tests/browser && npm ci --silent && TUOAN=../../target/release/tuoan QUICK=1 node every.mjs)
if [ "${LONG_TESTS:-}" = 1 ]; then
  step "The same in both languages and at three widths, never a stale \"safe\", by keyboard alone"
  (cd tests/browser && TUOAN=../../target/release/tuoan npm test)
fi

step "The nodes' real board: its programs and boot loaders build within their sizes"
firmware/boards/rp2040-w5500/check.sh

step "The node's firmware on an emulated board, against the gateway"
bash firmware/boards/qemu-lm3s6965/test.sh

step "Lints"
# In the profile of the tests: what their build scripts compiled is there already.
cargo clippy --release --workspace --all-targets --quiet -- -D warnings

step "The gateway builds alone, without what other packages and the tests add to its libraries"
cargo check --release --quiet

step "The wire types build without the standard library"
cargo check --quiet --manifest-path protocol/Cargo.toml --no-default-features --lib

step "Dependencies: bans, licences, sources"
if ! cargo deny --version >/dev/null 2>&1; then
  cargo install --locked --quiet cargo-deny --version "$(cat tests/servers/cargo-deny.version)"
fi
cargo deny --log-level error check bans licenses sources

step "Done"
