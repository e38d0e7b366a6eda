"""What the nodes say, as another client of the broker hears it: a subscriber of MQTT 3.1.1, and the CBOR of `protocol`."""
import socket
import struct
import threading
import time


def cbor(data, at=0):
    """One value and where it ends."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if info >= 24:
        size = 1 << (info - 24)
        value, at = int.from_bytes(data[at : at + size], "big"), at + size
    else:
        value = info
    if major == 0:
        return value, at
    if major == 1:
        return -1 - value, at
    if major == 2:
        return data[at : at + value], at + value
    if major == 3:
        return data[at : at + value].decode(), at + value
    if major == 4:
        items = []
        for _ in range(value):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(value):
            key, at = cbor(data, at)
            pairs[key], at = cbor(data, at)
        return pairs, at
    return {20: False, 21: True, 22: None}.get(info), at


class Message:
    """Telemetry, event or status with the moment at which it was heard."""

    def __init__(self, topic, payload):
        self.heard = time.monotonic()
        self.kind = topic.rsplit("/", 1)[-1]
        self.fields = cbor(payload)[0]
        self.boot, self.seq = (self.fields.get(3), self.fields.get(4)) if self.kind in ("telemetry", "event") else (None, None)

    def value(self, quantity, channel=0):
        """In the quantity's unit; None when the message has none."""
        if self.kind != "telemetry":
            return None
        for name, mantissa, *rest in self.fields[7]:
            decimals, at = (rest + [0, 0])[:2]
            if (name, at) == (quantity, channel):
                return mantissa / 10**decimals
        return None

    def event(self):
        return self.fields[7] if self.kind == "event" else None


class Watcher:
    """Hears all topics of a site for as long as the broker lasts. `take` gets each message; without it they are kept."""

    def __init__(self, port, user, password, topic, take=None):
        self.messages = []
        self.take = take or self.messages.append
        self.news = threading.Condition()
        self.line = socket.create_connection(("127.0.0.1", port))
        text = lambda s: struct.pack(">H", len(s)) + s.encode()
        body = text("MQTT") + bytes([4, 0xC2, 0, 60]) + text("watcher") + text(user) + text(password)
        self.line.sendall(bytes([0x10, len(body)]) + body)
        body = b"\x00\x01" + text(topic) + b"\x00"
        self.line.sendall(bytes([0x82, len(body)]) + body)
        threading.Thread(target=self.listen, daemon=True).start()
        threading.Thread(target=self.ping, daemon=True).start()

    def ping(self):
        try:
            while True:
                time.sleep(20)
                self.line.sendall(b"\xc0\x00")
        except OSError:
            pass

    def listen(self):
        stream = self.line.makefile("rb")
        try:
            while first := stream.read(1):
                length = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                body = stream.read(length)
                if first[0] >> 4 == 3:
                    size = struct.unpack(">H", body[:2])[0]
                    topic, payload = body[2 : 2 + size].decode(), body[2 + size :]
                    # A node's own words are CBOR maps; what the gateway says of itself and of incidents is not.
                    if payload and payload[0] >> 5 == 5 and topic.rsplit("/", 1)[-1] in ("telemetry", "event", "status"):
                        with self.news:
                            self.take(Message(topic, payload))
                            self.news.notify_all()
        except (OSError, IndexError):
            pass

    def wait(self, what, wanted, since=0, seconds=120):
        """The first message from number `since` on that is `wanted`, and the number behind it."""
        end = time.monotonic() + seconds
        with self.news:
            while True:
                for number, message in enumerate(self.messages[since:], since):
                    if wanted(message):
                        return message, number + 1
                if not self.news.wait(max(0, end - time.monotonic())) and time.monotonic() >= end:
                    raise AssertionError(f"not heard within {seconds} s: {what}")
