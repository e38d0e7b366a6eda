"""The board in QEMU: its cable, its key, its console."""
import json
import os
import re
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Board:
    """Powered on; who it is it does not know yet. The gateway's broker and pages are handed through to it, at `self.gateway`. `fast`: its time runs as fast as the
    host can compute it, and stands still while QEMU is stopped."""

    def __init__(self, folder, image, bus, mqtt, web, fast=False):
        self.console_path = os.path.join(folder, "console.log")
        control = os.path.join(folder, "qmp.sock")
        relay = lambda port: f"cmd:{sys.executable} {os.path.join(HERE, 'relay.py')} {port}"
        if fast:
            # The network of QEMU itself, which takes a connection without the time that a relay needs to start. An instruction takes two nanoseconds: while the
            # board waits awake for a sensor that the host plays (src/serial.rs), little of its time goes by.
            self.gateway, network, pace = f"10.0.2.2:{mqtt}", "ipv6=off", ["-icount", "shift=1,sleep=off"]
        else:
            forward = f"guestfwd=tcp:10.0.2.100:1883-{relay(mqtt)},guestfwd=tcp:10.0.2.100:8080-{relay(web)}"
            self.gateway, network, pace = "10.0.2.100:1883", f"restrict=on,{forward}", []
        self.console_line = os.path.join(folder, "console.sock")
        console = f"socket,id=console,path={self.console_line},server=on,wait=off,logfile={self.console_path}"
        self.process = subprocess.Popen(
            ["qemu-system-arm", "-machine", "lm3s6965evb", "-display", "none", "-monitor", "none", "-kernel", image]
            + pace
            + ["-chardev", console, "-serial", "chardev:console"]
            + ["-chardev", f"socket,id=bus,path={bus}", "-serial", "chardev:bus"]
            + ["-nic", f"user,id=net0,model=stellaris,{network}"]
            + ["-qmp", f"unix:{control},server=on,wait=off"],
            stdin=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                self.line = socket.socket(socket.AF_UNIX)
                self.line.connect(control)
                break
            except OSError:
                time.sleep(0.05)
        self.stream = self.line.makefile("rw")
        self.stream.readline()
        self.ask("qmp_capabilities")
        # The key reads as pressed until it was pressed once: the door starts closed.
        self.door(False)

    def ask(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise AssertionError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def door(self, is_open):
        """Letting the key go opens the door. The moment at which it was."""
        key = {"type": "key", "data": {"down": not is_open, "key": {"type": "qcode", "data": "up"}}}
        moment = time.monotonic()
        self.ask("input-send-event", events=[key])
        return moment

    def cable(self, is_in):
        self.ask("set_link", name="net0", up=is_in)

    def tell(self, line, seconds=120):
        """Writes a line to the console; the board's answer."""
        said = len(self.console())
        with socket.socket(socket.AF_UNIX) as typed:
            typed.connect(self.console_line)
            typed.sendall(line.encode() + b"\r\n")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for answer in self.console()[said:].splitlines(keepends=True):
                    if answer.startswith(("ok", "error ", "tuoan-node ")) and answer.endswith("\n"):
                        return answer.strip()
                time.sleep(0.02)
        raise AssertionError(f"no answer within {seconds} s to {line.split()[0]!r}:\n{self.console()}")

    def console(self):
        if not os.path.exists(self.console_path):
            return ""
        with open(self.console_path, errors="replace") as file:
            return file.read()

    def stack(self):
        """Bytes that were used at most, of so many, over all starts."""
        return max((int(used), int(room)) for used, room in re.findall(r"stack (\d+) of (\d+)", self.console()))

    def wait_console(self, text, seconds=120, count=1):
        end = time.monotonic() + seconds
        while self.console().count(text) < count:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"the console does not say {text!r} within {seconds} s:\n{self.console()}")
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
