"""Runs the firmware on the emulated board against the real gateway and looks at what reaches whom.

usage: check.py FIRMWARE GATEWAY, both binaries. Ends with 0 when everything held; prints a table of figures.
"""
import os
import re
import sys
import tempfile
import time

from chips import Bus
from emulator import Board
from figures import memory, percentile, table
from gateway import DEVICE, SITE, Gateway
from wire import Watcher

BOOT = 7
DOORS, INCIDENTS, OUTAGE_S = 40, 30, 60


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def check(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


def telemetry(watcher):
    """Each message once, by its number: a redelivery is none."""
    seen = {}
    for message in watcher.messages:
        if message.seq is not None:
            seen.setdefault(message.seq, message)
    return seen


def boots(board, watcher):
    board.wait_console(f"started boot {BOOT}")
    board.wait_console("address 10.0.2.15")
    board.wait_console("connected 1")
    birth, _ = watcher.wait("the birth", lambda m: m.kind == "status" and m.fields.get(4) == "online")
    check(birth.fields[10] == "qemu-lm3s6965" and birth.fields[11] == "power" and birth.fields[3] == BOOT, birth.fields)
    say(f"boots, has its address by DHCP, and is born: {birth.fields[5]} {birth.fields[6]} {birth.fields[7]}, {birth.fields[10]}")


def publishes(watcher):
    heard = []
    for quantity, channel in (("temperature", 0), ("co2", 1), ("open", 0)):
        message, _ = watcher.wait(quantity, lambda m: m.value(quantity, channel) is not None, 0, 60)
        heard.append(f"{quantity} {message.value(quantity, channel):g}")
    # A new one: those from before the connection have waited.
    timed, _ = watcher.wait("the time", lambda m: m.kind == "telemetry" and 5 in m.fields, len(watcher.messages))
    error = timed.fields[5] / 1000 - (time.time() - (time.monotonic() - timed.heard))
    check(abs(error) < 3, f"the node's time is {error:+.1f} s off")
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


def door_to_incident(board, receiver):
    """Milliseconds from the key to the incident at the district."""
    taken = []
    for i in range(INCIDENTS):
        since = len(receiver.incidents)
        moment = board.door(True)
        about_door = lambda e: "door" in str(e.get("hazard", "")) and e.get("transition") in ("opened", "reactivated", "gathered")
        heard, since = receiver.wait_incident("the door", about_door, since)
        taken.append((heard - moment) * 1000)
        board.door(False)
        time.sleep(0.5)
    say(f"the gateway raises the incident: at the district after {percentile(taken, 0.5):.0f} ms, at most {max(taken):.0f} ms")
    return taken


def faults(bus, watcher):
    for chip, place, fault in (("sht4x", 0, "corrupt"), ("scd4x", 1, "missing"), ("sht4x", 0, "missing")):
        since = len(watcher.messages)
        getattr(bus, chip).fault = fault
        _, at = watcher.wait(f"{chip} {fault}", lambda m: m.value("fault", place) == 1, since)
        watcher.wait(f"the reason of {chip}", lambda m: m.event() == f"fault.{chip}.{fault}", since)
        quantity = ("temperature", "co2")[place]
        time.sleep(3)
        late = [m for m in watcher.messages[at:] if m.value(quantity, place) is not None]
        check(not late, f"{chip} is {fault}, and yet there is a {quantity}")
        getattr(bus, chip).fault = None
        watcher.wait(f"{chip} in order again", lambda m: m.value("fault", place) == 0, at, 60)
    say("a wrong check sum and a missing chip are reported as faults, without a value, and are over when they are over")


def complete(values, what):
    steps = [round((b - a) * 100) for a, b in zip(values, values[1:])]
    check(values and all(step == 1 for step in steps), f"{what}: {values}")


def cable(board, watcher, receiver):
    before = max(telemetry(watcher))
    board.cable(False)
    time.sleep(OUTAGE_S / 2)
    # In the middle of it: the door, which goes first when the cable is back.
    board.door(True)
    time.sleep(1)
    board.door(False)
    time.sleep(OUTAGE_S / 2 - 1)
    since = len(watcher.messages)
    back = time.monotonic()
    board.cable(True)
    first, _ = watcher.wait("the door of the outage", lambda m: m.value("open") == 1, since, 90)
    reached = time.monotonic() - back
    waiting = [m for m in watcher.messages[since:] if m.seq is not None and m.value("temperature") is not None and m.seq < first.seq]
    # What was under way when the cable was pulled goes again before it: four at most.
    check(len(waiting) <= 4, f"{len(waiting)} readings went before the door")
    count = lambda: len([m for m in watcher.messages[since:] if m.value("temperature") is not None])
    end = time.monotonic() + 30
    while count() < OUTAGE_S + 10 and time.monotonic() < end:
        time.sleep(0.5)
    seen = telemetry(watcher)
    numbers = [n for n in sorted(seen) if n >= before]
    check(numbers == list(range(numbers[0], numbers[-1] + 1)), f"numbers are missing: {numbers}")
    complete([seen[n].value("temperature") for n in numbers if seen[n].value("temperature") is not None], "values in the order of their numbers")
    heard = [m.seq for m in watcher.messages[since:] if m.seq is not None]
    order = list(dict.fromkeys(heard))
    check(order == sorted(order), f"not in order: {heard}")
    say(f"the cable is out for {OUTAGE_S} s: {len(numbers)} messages, none lost, in order; the door of the outage first, {reached:.1f} s after")
    return reached


def restart(gateway, board, receiver):
    gateway.stop()
    time.sleep(15)
    gateway.start()
    began = time.monotonic()
    watcher = Watcher(gateway.mqtt, "watcher", gateway.watching, f"tuoan/v1/{SITE}/#")
    watcher.wait("the node after the broker's restart", lambda m: m.value("temperature") is not None, 0, 90)
    say(f"the broker restarts after 15 s: the node is back {time.monotonic() - began:.1f} s later")
    time.sleep(10)
    return watcher


def stored(receiver, since):
    """Temperatures that the gateway stored and sent on, from the line numbered `since`."""
    values = set()
    for line in receiver.lines[since:]:
        # The SCD4x has a temperature too, on a channel of its own.
        if DEVICE in line and ",channel=" not in line and (found := re.search(r"[ ,]temperature=([0-9.]+)", line)):
            values.add(float(found.group(1)))
    return sorted(values)


def main(image, binary):
    with tempfile.TemporaryDirectory(prefix="tuoan-node-") as folder:
        bus_path = os.path.join(folder, "bus.sock")
        bus = Bus(bus_path)
        gateway = Gateway(folder, binary)
        board = None
        try:
            watcher = Watcher(gateway.mqtt, "watcher", gateway.watching, f"tuoan/v1/{SITE}/#")
            arguments = [SITE, DEVICE, DEVICE, gateway.password, "10.0.2.100:1883", "10.0.2.100:80", str(BOOT)]
            board = Board(folder, image, bus_path, gateway.mqtt, gateway.web, arguments)
            boots(board, watcher)
            publishes(watcher)
            wire = door_to_wire(board, watcher)
            incident = door_to_incident(board, gateway.receiver)
            faults(bus, watcher)
            time.sleep(3)
            lines = len(gateway.receiver.lines)
            time.sleep(3)
            reached = cable(board, watcher, gateway.receiver)
            restart(gateway, board, gateway.receiver)
            end = time.monotonic() + 60
            values = stored(gateway.receiver, lines)
            while time.monotonic() < end and any(round((b - a) * 100) != 1 for a, b in zip(values, values[1:])):
                time.sleep(1)
                values = stored(gateway.receiver, lines)
            complete(values, "what the gateway stored")
            check(len(values) > OUTAGE_S + 25, f"only {len(values)} values were stored")
            say(f"of {len(values)} measurements since before the outage the gateway has stored every one")
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
        depth, room = re.findall(r"stack (\d+) of (\d+)", board.console())[-1]
        print(table([
            ("flash", f"{flash} of 262144 bytes"),
            ("static RAM", f"{ram} of 65536 bytes"),
            ("stack, deepest", f"{depth} of {room} bytes"),
            ("door to another MQTT client", f"p50 {percentile(wire, 0.5):.0f} ms, p99 {percentile(wire, 0.99):.0f} ms ({DOORS})"),
            ("door to the incident at the district", f"p50 {percentile(incident, 0.5):.0f} ms, p99 {percentile(incident, 0.99):.0f} ms ({INCIDENTS})"),
            ("door of an outage, after its end", f"{reached:.1f} s"),
        ]))


STARTED = time.monotonic()
if __name__ == "__main__":
    main(*sys.argv[1:3])
