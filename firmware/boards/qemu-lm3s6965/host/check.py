"""Runs the firmware on the emulated board against the real gateway and looks at what reaches whom.

usage: check.py FIRMWARE GATEWAY, both binaries. Ends with 0 when everything held; prints
a table of figures. Nothing here holds a time against a limit that a busy machine could miss: waits are long, and latencies are told, not judged.
"""
import os
import re
import sys
import tempfile
import threading
import time

from chips import ALTITUDE, Bus
from emulator import Board
from figures import memory, percentile, table
from gateway import DEVICE, SITE, Gateway
from service import check, enrol, settings, updates
from wire import Watcher

DOORS, INCIDENTS, OUTAGE_S, LATE_S = 24, 24, 60, 3


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def telemetry(watcher):
    """Each message once, by its number: a redelivery is none."""
    seen = {}
    for message in watcher.messages:
        if message.seq is not None:
            seen.setdefault(message.seq, message)
    return seen


def boots(board, watcher, boot):
    board.wait_console("address 10.0.2.15")
    board.wait_console("connected 1")
    birth, _ = watcher.wait("the birth", lambda m: m.kind == "status" and m.fields.get(4) == "online")
    check(birth.fields[6] == "qemu-lm3s6965" and birth.fields[11] == "restart" and birth.fields[3] == boot, birth.fields)
    say(f"boots, has its address by DHCP, and is born: {birth.fields[5]} {birth.fields[6]} {birth.fields[7]}, {birth.fields[10]}")


def publishes(watcher):
    heard = []
    for quantity, channel in (("temperature", 0), ("co2", 1), ("open", 0)):
        message, _ = watcher.wait(quantity, lambda m: m.value(quantity, channel) is not None)
        heard.append(f"{quantity} {message.value(quantity, channel):g}")
    # A new one: those from before the connection have waited.
    timed, _ = watcher.wait("the time", lambda m: m.kind == "telemetry" and 5 in m.fields, len(watcher.messages))
    error = timed.fields[5] / 1000 - (time.time() - (time.monotonic() - timed.heard))
    # The message may have been under way for long.
    check(abs(error) < 60, f"the node's time is {error:+.1f} s off")
    say("publishes " + ", ".join(heard) + f"; its time, from the gateway, is {error:+.1f} s off")


def door_to_wire(board, watcher):
    """Milliseconds from the key to another client of the broker."""
    taken = []
    for i in range(DOORS):
        since, is_open = len(watcher.messages), i % 2 == 0
        moment = board.door(is_open)
        heard, _ = watcher.wait("the door", lambda m: m.value("open") == float(is_open), since)
        taken.append((heard.heard - moment) * 1000)
        time.sleep(0.1)
    say(f"a door is heard of after {percentile(taken, 0.5):.0f} ms, at most {max(taken):.0f} ms")
    return taken


def door_to_incident(board, watcher, receiver):
    """Milliseconds from the key to the incident at the district."""
    # What the doors before these have raised is through.
    heard = -1
    while heard != len(receiver.incidents):
        heard = len(receiver.incidents)
        time.sleep(2)
    about_door = lambda e: "door" in str(e.get("hazard", "")) and e.get("transition") in ("opened", "reactivated", "gathered")
    taken = []
    for _ in range(INCIDENTS):
        since = len(receiver.incidents)
        moment = board.door(True)
        heard, since = receiver.wait_incident("the door", about_door, since)
        taken.append((heard - moment) * 1000)
        since = len(watcher.messages)
        board.door(False)
        watcher.wait("the door closed", lambda m: m.value("open") == 0, since)
        time.sleep(0.2)
    say(f"the gateway raises the incident: at the district after {percentile(taken, 0.5):.0f} ms, at most {max(taken):.0f} ms")
    return taken


def faults(bus, watcher):
    for round in ([("sht4x", 0, "corrupt"), ("scd4x", 1, "missing")], [("sht4x", 0, "missing")]):
        since, false = len(watcher.messages), {}
        for chip, place, fault in round:
            getattr(bus, chip).fault = fault
            # What would be measured from now on is told from what was measured before and is still under way.
            if chip == "scd4x":
                bus.scd4x.co2 += 100
            false[chip] = bus.scd4x.co2 if chip == "scd4x" else bus.sht4x.temperature() + 0.01
        for chip, place, fault in round:
            watcher.wait(f"{chip} {fault}", lambda m: m.value("fault", place) == 1, since)
            watcher.wait(f"the reason of {chip}", lambda m: m.event() == f"fault.{chip}.{fault}", since)
        time.sleep(2)
        since = len(watcher.messages)
        for chip, place, fault in round:
            quantity = ("temperature", "co2")[place]
            told = [v for m in watcher.messages if (v := m.value(quantity, place)) is not None and v >= false[chip] - 0.001]
            check(not told, f"{chip} is {fault}, and yet there is a {quantity}: {told}")
            getattr(bus, chip).fault = None
        for chip, place, _ in round:
            watcher.wait(f"{chip} in order again", lambda m: m.value("fault", place) == 0, since)
    say("a wrong check sum and a missing chip are reported as faults, without a value, and are over when they are over")


def measured(celsius):
    """The number of the measurement that gave this temperature."""
    return round((celsius - 10) * 100)


def complete(numbers, what):
    gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]
    check(numbers and not gaps, f"{what}: measurements are missing between {gaps} of {numbers}")


def cable(board, bus, watcher):
    before = max(telemetry(watcher))
    sounded = board.console().count("Buzzer on")
    board.cable(False)
    time.sleep(OUTAGE_S / 3)
    # A host that was busy elsewhere: the measurement is made, and its answer late.
    late = threading.Event()
    bus.sht4x.measured = lambda _: late.is_set() or (late.set(), time.sleep(LATE_S))
    time.sleep(OUTAGE_S / 3)
    # The door, which goes first when the cable is back. The room hears it at once.
    board.door(True)
    board.wait_console("Buzzer on", count=sounded + 1)
    board.door(False)
    time.sleep(OUTAGE_S / 3)
    check(late.is_set(), "nothing was measured while the cable was out")
    since = len(watcher.messages)
    back = time.monotonic()
    board.cable(True)
    first, _ = watcher.wait("the door of the outage", lambda m: m.value("open") == 1, since)
    reached = time.monotonic() - back
    temperature = lambda m: m.value("temperature")
    waiting = [m for m in watcher.messages[since:] if m.seq is not None and temperature(m) is not None and m.seq < first.seq]
    # What was under way when the cable was pulled goes again before it: four at most.
    check(len(waiting) <= 4, f"{len(waiting)} readings went before the door")
    last = bus.sht4x.count + 3
    watcher.wait("what was measured since", lambda m: temperature(m) is not None and measured(temperature(m)) >= last, since)
    seen = telemetry(watcher)
    numbers = [n for n in sorted(seen) if n >= before]
    check(numbers == list(range(numbers[0], numbers[-1] + 1)), f"numbers are missing: {numbers}")
    complete([measured(temperature(seen[n])) for n in numbers if temperature(seen[n]) is not None], "in the order of their numbers")
    heard = [m.seq for m in watcher.messages[since:] if m.seq is not None]
    order = list(dict.fromkeys(heard))
    check(order == sorted(order), f"not in order: {heard}")
    say(f"the cable is out for {OUTAGE_S} s: {len(numbers)} messages, none lost, in order; the door of the outage first, {reached:.1f} s after")
    return reached


def restart(gateway):
    gateway.stop()
    time.sleep(5)
    gateway.start()
    began = time.monotonic()
    watcher = Watcher(gateway.mqtt, "watcher", gateway.watching, f"tuoan/v1/{SITE}/#")
    watcher.wait("the node after the broker's restart", lambda m: m.value("temperature") is not None, seconds=180)
    say(f"the broker restarts: the node is back {time.monotonic() - began:.1f} s later")
    return watcher


def stored(receiver):
    """Measurements that the gateway stored and sent on."""
    numbers = set()
    for line in list(receiver.lines):
        # The SCD4x has a temperature too, on a channel of its own.
        if DEVICE in line and ",channel=" not in line and (found := re.search(r"[ ,]temperature=([0-9.]+)", line)):
            numbers.add(measured(float(found.group(1))))
    return numbers


def all_stored(receiver, first, last):
    wanted, end = set(range(first, last + 1)), time.monotonic() + 180
    while not wanted <= (found := stored(receiver)):
        check(time.monotonic() < end, f"of measurements {first} to {last} the gateway has not stored {sorted(wanted - found)}")
        time.sleep(0.5)
    say(f"of {len(wanted)} measurements since before the outage the gateway has stored every one")


def main(image, binary):
    with tempfile.TemporaryDirectory(prefix="tuoan-node-") as folder:
        bus_path = os.path.join(folder, "bus.sock")
        bus = Bus(bus_path)
        gateway = Gateway(folder, binary)
        board = None
        try:
            watcher = Watcher(gateway.mqtt, "watcher", gateway.watching, f"tuoan/v1/{SITE}/#")
            board = Board(folder, image, bus_path, gateway.mqtt, gateway.web)
            boot = enrol(board, gateway)
            say("is enrolled over its serial line with what `tuoan device add` gave")
            boots(board, watcher, boot)
            publishes(watcher)
            wire = door_to_wire(board, watcher)
            incident = door_to_incident(board, watcher, gateway.receiver)
            faults(bus, watcher)
            first = bus.sht4x.count + 1
            reached = cable(board, bus, watcher)
            watcher = restart(gateway)
            all_stored(gateway.receiver, first, bus.sht4x.count - 1)
            boot = settings(board, gateway, boot)
            # Its first value says that it was started.
            watcher.wait("the node with its new settings", lambda m: m.boot == boot and m.value("co2", 1) is not None)
            check(bus.scd4x.kept[ALTITUDE] == 120, "the altitude is not that of the settings")
            say("settings from afar are in its sensor after the restart; those that are wrong are refused by the field's name")
            refused = updates(board, gateway, boot)
            say(f"updates are refused by the board itself: {', '.join(refused)}")
            watcher.wait("the node after all that", lambda m: m.boot == boot and m.value("temperature") is not None)
            check("panic" not in board.console(), board.console())
        except BaseException:
            print(board.console() if board else "", file=sys.stderr)
            with open(os.path.join(folder, "tuoan.log"), errors="replace") as log:
                print(log.read()[-3000:], file=sys.stderr)
            raise
        finally:
            if board:
                board.stop()
            gateway.stop()
        flash, ram = memory(image)
        depth, room = board.stack()
        print(table([
            ("flash", f"{flash} of 262144 bytes"),
            ("static RAM", f"{ram} of 65536 bytes, and 3584 that outlive a restart"),
            ("stack, deepest", f"{depth} of {room} bytes"),
            ("door to another MQTT client", f"p50 {percentile(wire, 0.5):.0f} ms, most {max(wire):.0f} ms ({DOORS})"),
            ("door to the incident at the district", f"p50 {percentile(incident, 0.5):.0f} ms, most {max(incident):.0f} ms ({INCIDENTS})"),
            ("door of an outage, after its end", f"{reached:.1f} s"),
        ]))


STARTED = time.monotonic()
if __name__ == "__main__":
    main(*sys.argv[1:3])
