"""Hours of the board's own time in minutes: QEMU computes as fast as it can, against the real gateway. The host keeps step: while a measurement waits for its
answer the board is held until the gateway's broker has what was measured before, so that a busy machine makes it slower and not wrong.

usage: day.py FIRMWARE GATEWAY [HOURS]. Every ten minutes a door opens, every hour the cable is out for ninety seconds. Ends with 0 when no measurement is
missing, all came in order, and the stack is no deeper at the end than after the second hour.
"""
import os
import re
import sys
import tempfile
import threading
import time

from chips import Bus, Scd4x
from emulator import Board
from gateway import SITE, Gateway
from service import check, enrol
from wire import Watcher

BEHIND, OUTAGE_S, ROUND = 2, 90, 10_000
# How long the board is held while it has to find its way back to the gateway, for each second of its own.
SLOWER_S, PATIENCE_S = 0.03, 300


class Day:
    def __init__(self):
        self.board = None
        self.news = threading.Condition()
        self.number = self.last = self.doors = self.outages = self.opened = self.open = self.held = 0
        self.out, self.caught_up = False, False
        self.wrong = None

    def heard(self, message):
        """Every message, in the order in which the broker gives it to others."""
        if message.seq is None or message.seq <= self.number:
            # A redelivery is none.
            return
        with self.news:
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
        if count % 600 in (300, 305):
            self.board.door(count % 600 == 300)
            self.doors += count % 600 == 300
        if self.out:
            return
        if not self.caught_up:
            self.caught_up = count - self.last <= BEHIND
            self.hold(lambda: False, SLOWER_S)
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
            day.board, began, early, moved, last = board, time.monotonic(), None, time.monotonic(), 0
            # It measures every second, counted from the end of the measurement before: so many are as many seconds at least.
            while day.last < hours * 3600:
                time.sleep(0.5)
                check(day.wrong is None, day.wrong)
                check(board.process.poll() is None and "panic" not in board.console(), board.console()[-2000:])
                if day.last > last:
                    moved, last = time.monotonic(), day.last
                check(time.monotonic() - moved < PATIENCE_S, f"nothing was heard for {PATIENCE_S} s, after {last} measurements")
                if early is None and last >= min(2, hours / 2) * 3600:
                    early = board.stack()
            taken = time.monotonic() - began
            day.board = None
            depth, room = board.stack()
            check(depth == early[0], f"the stack grew from {early[0]} to {depth} bytes")
            connections = max(int(n) for n in re.findall(r"^connected (\d+)", board.console(), re.M))
            check(day.opened >= day.doors - 1, f"of {day.doors} doors {day.opened} were heard")
            print(
                f"{day.last / 3600:.1f} h of the board's time in {taken:.0f} s: {day.number} messages and {day.last} measurements, each once and in order;\n"
                f"{day.doors} doors, {day.outages} times {OUTAGE_S} s without the cable, {connections} connections; held {day.held} times for the host;\n"
                f"stack {depth} of {room} bytes, as after {min(2, hours / 2):g} h",
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
