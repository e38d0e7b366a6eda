#!/usr/bin/env bash
# `tuoan run` behind an outside broker, as a subject of a gateway benchmark: reads `kit/<room>/<device>/env` from $BROKER, writes line protocol
# and alerts to $SINK, keeps its state in $STATE. 200 devices, each in a zone of its own, so that every reading over the limit is an alert of
# its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tuoan=${TUOAN:-$here/../../../../target/release/tuoan}
if [ ! -f "$STATE/tuoan.toml" ]; then
  cat >"$STATE/tuoan.toml" <<T
data = "data"
site = "site.toml"
rules = ["rules.toml"]
[web]
listen = "127.0.0.1:$((PORTBASE + 9))"
[clock]
trust = "always"
[client]
url = "mqtt://$BROKER"
client_id = "tuoan-bench"
topics = ["kit/+/+/env"]
[platform]
url = "http://$SINK/alert"
token = "t"
receipts = false
[influx]
url = "http://$SINK"
org = "o"
bucket = "b"
token = "t"
measurement = "env"
[[mapping]]
name = "kit"
topic = "kit/{room}/{device}/env"
device = "{device}"
time = { pointer = "/ts", unit = "ms" }
seq = "/seq"
boot = 1
readings = [
  { pointer = "/temperature", quantity = "temperature", unit = "°C" },
  { pointer = "/humidity", quantity = "humidity", unit = "%" },
  { pointer = "/co2", quantity = "co2", unit = "ppm" },
]
T
  {
    printf 'id = "bench"\nname = "bench"\ndistrict = "bench"\nstreet = "bench"\ninstitution = "private"\nsupervisor = "health"\nstaff_hours = "00:00-24:00"\n'
    for i in $(seq 0 499); do printf '[[zones]]\nid = "z%d"\nname = "z%d"\nkind = "office"\n' "$i" "$i"; done
    for i in $(seq 0 499); do printf '[[devices]]\nid = "dev%d"\nzone = "z%d"\nrole = "climate"\nperiod_s = 3600\n' "$i" "$i"; done
  } >"$STATE/site.toml"
  cp "$here/rules.toml" "$STATE/rules.toml"
fi
exec "$tuoan" run --config "$STATE/tuoan.toml"
