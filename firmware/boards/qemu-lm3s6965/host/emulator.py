"""The board in QEMU: its cable, its key, its console."""
import json
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Board:
    def __init__(self, folder, image, bus, mqtt, web, arguments):
        self.console_path = os.path.join(folder, "console.log")
        control = os.path.join(folder, "qmp.sock")
        relay = lambda port: f"cmd:{sys.executable} {os.path.join(HERE, 'relay.py')} {port}"
        network = f"guestfwd=tcp:10.0.2.100:1883-{relay(mqtt)},guestfwd=tcp:10.0.2.100:80-{relay(web)}"
        given = ",".join(f"arg={a}" for a in arguments)
        self.process = subprocess.Popen(
            ["qemu-system-arm", "-machine", "lm3s6965evb", "-display", "none", "-monitor", "none", "-kernel", image]
            + ["-semihosting-config", f"enable=on,target=native,{given}"]
            + ["-serial", f"file:{self.console_path}"]
            + ["-chardev", f"socket,id=bus,path={bus}", "-serial", "chardev:bus"]
            + ["-nic", f"user,id=net0,model=stellaris,restrict=on,{network}"]
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

    def console(self):
        with open(self.console_path, errors="replace") as file:
            return file.read()

    def wait_console(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.console():
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"the console does not say {text!r} within {seconds} s:\n{self.console()}")
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
