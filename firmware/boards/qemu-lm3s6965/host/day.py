"""Hours of the board's own time in minutes: QEMU computes as fast as it can, against the real gateway. The host keeps step: while a measurement waits for its
answer the board is held until the gateway's broker has what was measured before, so that a busy machine makes it slower and not wrong.

usage: day.py FIRMWARE GATEWAY [HOURS]. Every ten minutes a door opens, every hour the cable is out for ninety seconds. Ends with 0 when no measurement is
missing, all came in order and the gateway has stored as many, it was back after each outage, nothing waits in the node at the end, and the stack is no deeper
then than in the first hours, but for an interrupt at its deepest moment.
"""
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request

from chips import Bus, Scd4x
from emulator import Board
from gateway import SITE, Gateway
from service import check, enrol
from wire import Watcher

BEHIND, OUTAGE_S, ROUND = 2, 90, 10_000
# How long the board is held while it has to find its way back to the gateway, for each second of its own.
SLOWER_S, PATIENCE_S = 0.03, 300
# Seconds of the board's time: its longest wait between two attempts, the attempt, and what has waited.
BACK_S = 300
# Bytes of stack that an interrupt takes; whether one comes at the deepest moment is chance.
INTERRUPT = 256


class Day:
    def __init__(self):
        self.board = None
        self.news = threading.Condition()
        self.number = self.last = self.doors = self.outages = self.opened = self.open = self.held = 0
        self.out, self.caught_up = False, False
        self.back_at = self.back = self.statuses = 0
        self.ending, self.empty = False, threading.Event()
        self.wrong = None

    def heard(self, message):
        """Every message, in the order in which the broker gives it to others."""
        if message.seq is None or message.seq <= self.number:
            # A redelivery is none.
            self.statuses += message.kind == "status"
            return
        with self.news:
            if message.value("lost_records") is not None:
                self.wrong = self.wrong or "the node says that it has lost something"
            if self.number and message.seq != self.number + 1:
                self.wrong = self.wrong or f"after message {self.number} comes {message.seq}"
            self.number = message.seq
            if (value := message.value("temperature")) is not None:
                self.last += 1
                if round((value - 10) * 100) != self.last % ROUND:
                    self.wrong = self.wrong or f"measurement {self.last} is {value} degrees"
            if (state := message.value("open")) is not None:
                self.opened += state > self.open
                self.open = state
            self.news.notify_all()

    def measured(self, count):
        """What happens at this second of the board's time. It waits for the measurement meanwhile."""
        if self.board is None:
            return
        second = count % 3600
        if second == 1800:
            self.board.cable(False)
            self.out, self.outages = True, self.outages + 1
        elif second == 1800 + OUTAGE_S:
            self.board.cable(True)
            self.out = self.caught_up = False
            self.back_at = count
        if count % 600 in (300, 305):
            self.board.door(count % 600 == 300)
            self.doors += count % 600 == 300
        if self.out:
            return
        if not self.caught_up:
            self.caught_up = count - self.last <= BEHIND
            if self.caught_up and self.back_at:
                self.back, self.back_at = max(self.back, count - self.back_at), 0
            elif self.back_at and count - self.back_at > BACK_S:
                self.wrong = self.wrong or f"{BACK_S} s after the outage the node is not back"
            self.hold(lambda: False, SLOWER_S)
        elif self.ending:
            # All but the one that is under way: then it stays held.
            self.board.ask("stop")
            with self.news:
                if self.news.wait_for(lambda: self.last == count - 1, 2):
                    self.empty.set()
                    return
            self.board.ask("cont")
        elif count - self.last > BEHIND:
            self.held += 1
            # The connection may have been lost after all: then it is found again.
            self.caught_up = self.hold(lambda: count - self.last <= BEHIND, 10)

    def hold(self, until, seconds):
        self.board.ask("stop")
        with self.news:
            done = self.news.wait_for(until, seconds)
        self.board.ask("cont")
        return done


def counts(gateway):
    """The gateway's own counts of messages: received, stored, duplicate, quarantined, refused."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web}/metrics", timeout=10) as answer:
        return {name: int(n) for name, n in re.findall(r"^tuoan_messages_(\w+)_total (\d+)", answer.read().decode(), re.M)}


def all_stored(gateway, day):
    """Whatever reached the gateway is in its store, and what was heard is among it: it has messages of its own beside those of the node."""
    end = time.monotonic() + 60
    while True:
        at = counts(gateway)
        whole = at["received"] == at["stored"] + at["duplicate"] and not at["quarantined"] and not at["refused"]
        if whole and at["stored"] >= day.number + day.statuses:
            return
        check(time.monotonic() < end, f"{day.number} messages, {day.statuses} births and wills were heard; the gateway counts {at}")
        time.sleep(0.5)


def main(image, binary, hours="24"):
    hours = float(hours)
    with tempfile.TemporaryDirectory(prefix="tuoan-day-") as folder:
        bus_path = os.path.join(folder, "bus.sock")
        bus, day = Bus(bus_path), Day()
        bus.chips[0x62] = bus.scd4x = Scd4x(clock=lambda: bus.sht4x.count)
        # The chip cannot measure more than 125 degrees.
        bus.sht4x.temperature = lambda: 10 + bus.sht4x.count % ROUND / 100
        bus.sht4x.measured = day.measured
        gateway = Gateway(folder, binary, sinks=False)
        board = None
        try:
            Watcher(gateway.mqtt, "watcher", gateway.watching, f"tuoan/v1/{SITE}/#", day.heard)
            board = Board(folder, image, bus_path, gateway.mqtt, gateway.web, fast=True)
            enrol(board, gateway)
            day.board, began, early, moved, last, told = board, time.monotonic(), None, time.monotonic(), 0, 1
            # It measures every second, counted from the end of the measurement before: so many are as many seconds at least.
            while day.last < hours * 3600:
                time.sleep(0.5)
                check(day.wrong is None, day.wrong)
                check(board.process.poll() is None and "panic" not in board.console(), board.console()[-2000:])
                if day.last > last:
                    moved, last = time.monotonic(), day.last
                check(time.monotonic() - moved < PATIENCE_S, f"nothing was heard for {PATIENCE_S} s, after {last} measurements")
                if last >= told * 3600:
                    print(f"{told} h of the board's time after {time.monotonic() - began:.0f} s", flush=True)
                    told += 1
                if early is None and last >= min(2, hours / 2) * 3600:
                    early = board.stack()
            taken = time.monotonic() - began
            day.ending = True
            check(day.empty.wait(60), f"something still waits in the node: heard {day.last} of {bus.sht4x.count} measurements")
            all_stored(gateway, day)
            depth, room = board.stack()
            check(depth - early[0] <= INTERRUPT, f"the stack grew from {early[0]} to {depth} bytes")
            connections = max(int(n) for n in re.findall(r"^connected (\d+)", board.console(), re.M))
            check(connections > day.outages, f"{connections} connections with {day.outages} outages")
            check(day.wrong is None, day.wrong)
            check(day.opened >= day.doors - 1, f"of {day.doors} doors {day.opened} were heard")
            print(
                f"{day.last / 3600:.1f} h of the board's time in {taken:.0f} s: {day.number} messages and {day.last} measurements, each once and in order, all of them stored;\n"
                f"{day.doors} doors, {day.outages} times {OUTAGE_S} s without the cable and back in step {day.back} s after it at most, {connections} connections; held {day.held} times for the host;\n"
                f"nothing waits; stack {depth} of {room} bytes, {early[0]} after {min(2, hours / 2):g} h",
                flush=True,
            )
        except BaseException:
            print(board.console()[-3000:] if board else "", file=sys.stderr)
            raise
        finally:
            if board:
                board.stop()
            gateway.stop()


if __name__ == "__main__":
    main(*sys.argv[1:4])
