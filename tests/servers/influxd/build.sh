#!/usr/bin/env bash
# Builds influxd 2.7, without its web pages, from Go modules into DIR. Its query language is a Rust library that Go's linker finds through
# InfluxData's own pkg-config. usage: build.sh DIR
set -euo pipefail
out=$1
cd "$(dirname "$0")"
wrapper=$(mktemp)
trap 'rm -f "$wrapper"' EXIT
# The library pins an old compiler and denies warnings; with today's compiler there are some.
printf '#!/bin/sh\nexec "$@" --cap-lints warn\n' >"$wrapper"
chmod +x "$wrapper"
GOBIN=$out go install github.com/influxdata/pkg-config
RUSTUP_TOOLCHAIN=$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1) RUSTC_WRAPPER=$wrapper PKG_CONFIG=$out/pkg-config \
  go build -tags "noassets sqlite_foreign_keys sqlite_json" -o "$out/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
