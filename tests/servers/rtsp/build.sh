#!/usr/bin/env bash
# Builds the tests' RTSP server (gortsplib) from Go modules into DIR. usage: build.sh DIR
set -euo pipefail
out=$1
cd "$(dirname "$0")"
go build -o "$out/rtsp" .
