"""The real gateway on free ports of the loopback, and what it sends on: incidents to a district, readings to InfluxDB, both played here."""
import hashlib
import http.server
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.request

SITE, DEVICE = "qemu", "node-1"

# The built-in rule of a door at night, but that each opening is told: the fifth in a few minutes would be gathered as chattering.
RULES = """name = "doors"
version = 1
[[rule]]
id = "door.after_hours.each"
hazard = "door.after_hours"
kind = "state"
quantity = "open"
roles = ["door"]
phases = ["closed"]
severity = 2
regather = "0s"
basis = "confirmed"
source = "the test of the emulated board"
clause = "none"
verified = false
duty = ["police"]
title = { zh = "非工作时间门被打开", en = "Door opened out of hours" }
advice = { zh = "仅用于测试。", en = "For the test only." }
[[rule.case]]
name = "each opening"
zone = "exit"
steps = ["22:00 open 1", "22:00 expect opened 2", "22:01 open 0", "22:01 expect returned"]
"""


SINKS = """[platform]
url = "{url}"
token = "t"
receipts = false
[influx]
url = "{url}"
org = "o"
bucket = "b"
token = "t"
"""


def clean():
    """The environment without TUOAN_..., which the gateway would take for settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TUOAN_")}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Receiver:
    """Takes incidents as CloudEvents and readings as line protocol; each with the moment it came."""

    def __init__(self):
        self.incidents, self.lines = [], []
        self.news = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                moment = time.monotonic()
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with outer.news:
                    if "/api/v2/write" in self.path:
                        outer.lines += body.decode().splitlines()
                    else:
                        events = json.loads(body)
                        outer.incidents += [(moment, e) for e in (events if isinstance(events, list) else [events])]
                    outer.news.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_incident(self, what, wanted, since, seconds=120):
        end = time.monotonic() + seconds
        with self.news:
            while True:
                for number, (moment, event) in enumerate(self.incidents[since:], since):
                    if wanted(event.get("data", {}).get("event", {})):
                        return moment, number + 1
                if not self.news.wait(max(0, end - time.monotonic())) and time.monotonic() >= end:
                    raise AssertionError(f"no incident within {seconds} s: {what}; heard {[e for _, e in self.incidents[since:]]}")


class Gateway:
    """`sinks`: whether it sends on what it stores."""

    def __init__(self, folder, binary, sinks=True):
        self.folder, self.binary, self.data = folder, binary, os.path.join(folder, "data")
        self.mqtt, self.web = free_port(), free_port()
        self.watching = secrets.token_hex(16)
        # The credential as a user gets it: the password, and its entry for the configuration.
        entry = self.tuoan("device", "add", DEVICE)
        self.password = re.search(r"shown only now: (\w+)", entry).group(1)
        self.receiver = Receiver()
        digest = lambda password: hashlib.sha256(password.encode()).hexdigest()
        # It is night at this site, whenever the test runs: an exit that opens is an incident at once.
        hour = (time.gmtime().tm_hour + 8 + 6) % 22
        hours = f"{hour:02}:00-{hour + 1:02}:00"
        with open(os.path.join(folder, "tuoan.toml"), "w") as file:
            file.write(f"""data = "data"
site = "site.toml"
rules = ["rules.toml"]
[web]
listen = "127.0.0.1:{self.web}"
[clock]
trust = "always"
[broker]
listen = "127.0.0.1:{self.mqtt}"
{entry}
[[broker.user]]
name = "watcher"
password_sha256 = "{digest(self.watching)}"
subscribe = ["tuoan/v1/{SITE}/#"]
{SINKS.format(url=self.receiver.url) if sinks else ""}""")
        with open(os.path.join(folder, "rules.toml"), "w") as file:
            file.write(RULES)
        with open(os.path.join(folder, "site.toml"), "w") as file:
            file.write(f"""id = "{SITE}"
name = "仿真托育园"
district = "下城区"
street = "石桥街道"
institution = "private"
supervisor = "health"
staff_hours = "{hours}"
[[classes]]
id = "c1"
name = "托小班"
care = "full_day"
age_group = "toddler"
care_hours = ["{hours}"]
[[zones]]
id = "exit"
name = "大门"
kind = "exit"
[[devices]]
id = "{DEVICE}"
zone = "exit"
role = "door"
""")
        self.start()

    def tuoan(self, *arguments, may_fail=False):
        """What the gateway's program says when it is called so."""
        done = subprocess.run([self.binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean(), timeout=180)
        if done.returncode and not may_fail:
            raise AssertionError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def start(self):
        self.log = open(os.path.join(self.folder, "tuoan.log"), "ab")
        command = [self.binary, "run", "--config", os.path.join(self.folder, "tuoan.toml")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=clean())
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/healthz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("the gateway does not start:\n" + open(self.log.name, errors="replace").read()[-4000:])
            time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
