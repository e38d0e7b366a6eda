#!/usr/bin/env bash
# The firmware on QEMU's lm3s6965evb against the real gateway: is enrolled, publishes, raises incidents, reports faults, loses nothing, refuses updates. From
# anywhere; a few minutes. TUOAN_BIN: a gateway that is built already. HOURS: of the board's own time beside that, as fast as QEMU computes, about 50 times as fast
# as its clock; by default 36 minutes, in which the cable is out once. 0 leaves them out, 24 is a day.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../.." && pwd)"

packages=()
command -v qemu-system-arm >/dev/null || packages+=(qemu-system-arm)
if [[ ! -d "$(rustc --print sysroot)/lib/rustlib/thumbv7m-none-eabi" ]]; then
    [[ -x /usr/bin/rustc ]] || packages+=(rustc-web)
    [[ -d /usr/lib/rustlib/src ]] || [[ -n "$(find /usr/src /usr/lib -maxdepth 3 -path '*rust*' -name library -print -quit 2>/dev/null)" ]] || packages+=(rust-web-src)
    command -v lld >/dev/null || packages+=(lld)
fi
if ((${#packages[@]})); then
    as_root=()
    [[ "$(id -u)" == 0 ]] || as_root=(sudo)
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

gateway="${TUOAN_BIN:-$root/target/release/tuoan}"
if [[ ! -x "$gateway" ]]; then
    (cd "$root" && cargo build --release --locked -p tuoan)
fi

firmware="$(bash "$here/build.sh")"
python3 "$here/host/check.py" "$firmware" "$gateway"
if [[ "${HOURS:=0.6}" != 0 ]]; then
    python3 "$here/host/day.py" "$firmware" "$gateway" "$HOURS"
fi
