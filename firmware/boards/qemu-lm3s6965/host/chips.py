"""The board's sensors, as the firmware's I2C bus over a serial line sees them (src/serial.rs)."""
import os
import socket
import threading
import time


def crc8(data):
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def words(*values):
    """Sensirion's form: each word with its check sum."""
    out = b""
    for value in values:
        pair = value.to_bytes(2, "big")
        out += pair + bytes([crc8(pair)])
    return out


class Sht4x:
    """Counts its measurements in hundredths of a degree, so that the host sees whether one is missing."""

    def __init__(self):
        self.fault = None
        self.count = 0
        self.answer = b""
        # Called with each measurement's number, before the board has its answer.
        self.measured = lambda count: None

    def temperature(self):
        return 10 + self.count / 100

    def write(self, data):
        if data[:1] == b"\xfd":
            self.count += 1
            self.measured(self.count)
            raw = round((self.temperature() + 45) * 65535 / 175)
            self.answer = words(raw, round((50 + 6) * 65535 / 125))
        elif data[:1] == b"\x89":
            self.answer = words(0x1234, 0x5678)

    def read(self, length):
        return self.answer[:length].ljust(length, b"\xff")


# The SCD4x's command that sets it, in metres.
ALTITUDE = 0x2427


class Scd4x:
    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.fault = None
        self.co2 = 800
        self.kept = {ALTITUDE: 0, 0x2416: 1}
        self.measuring = False
        self.ready_at = 0.0
        self.answer = b""

    def write(self, data):
        command = int.from_bytes(data[:2], "big")
        if len(data) == 5:
            self.kept[command] = int.from_bytes(data[2:4], "big")
        elif command == 0x21B1:
            self.measuring, self.ready_at = True, self.clock() + 5
        elif command == 0x3F86:
            self.measuring = False
        elif command == 0x3682:
            self.answer = words(1, 2, 3)
        elif command == 0x2322:
            self.answer = words(self.kept[ALTITUDE])
        elif command == 0x2313:
            self.answer = words(self.kept[0x2416])
        elif command == 0xE4B8:
            self.answer = words(0x8006 if self.measuring and self.clock() >= self.ready_at else 0x8000)
        elif command == 0xEC05:
            self.ready_at = self.clock() + 5
            self.answer = words(self.co2, round((22 + 45) * 65535 / 175), round(45 * 65535 / 100))

    def read(self, length):
        return self.answer[:length].ljust(length, b"\xff")


class Bus:
    """Serves the line until it is closed. A chip's `fault`: None, "missing" (no acknowledgement) or "corrupt" (a bit flipped)."""

    def __init__(self, path):
        self.sht4x, self.scd4x = Sht4x(), Scd4x()
        self.chips = {0x44: self.sht4x, 0x62: self.scd4x}
        self.server = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        self.server.bind(path)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            line, _ = self.server.accept()
            with line, line.makefile("rwb", buffering=0) as stream:
                try:
                    while head := self.exactly(stream, 3):
                        address, out, into = head
                        data = self.exactly(stream, out) if out else b""
                        stream.write(self.exchange(self.chips.get(address), data, into))
                except OSError:
                    pass

    @staticmethod
    def exactly(stream, count):
        data = b""
        while len(data) < count:
            more = stream.read(count - len(data))
            if not more:
                return b""
            data += more
        return data

    @staticmethod
    def exchange(chip, data, into):
        if chip is None or chip.fault == "missing":
            return b"\x01"
        if data:
            chip.write(data)
        answer = chip.read(into) if into else b""
        if answer and chip.fault == "corrupt":
            answer = bytes([answer[0] ^ 0x04]) + answer[1:]
        return b"\x00" + answer
