"""Group robots as their makers document them: 钉钉, 企业微信, 飞书. Signature within an hour, 20 messages a minute (飞书: 100), documented answers.

robot.py PORT TOKEN SECRET
"""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import sys
import time
import urllib.parse

port, token, secret = sys.argv[1:]
sent = collections.defaultdict(collections.deque)


def too_fast(robot, limit):
    now = time.monotonic()
    times = sent[robot]
    while times and times[0] <= now - 60:
        times.popleft()
    if len(times) >= limit:
        return True
    times.append(now)
    return False


def sign(key, text):
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def dingtalk(query, body):
    stamp = query.get("timestamp", "0")
    if query.get("access_token") != token:
        return {"errcode": 300005, "errmsg": "token is not exist"}
    if abs(time.time() * 1000 - int(stamp)) > 3_600_000:
        return {"errcode": 310000, "errmsg": "invalid timestamp"}
    if query.get("sign") != sign(secret, f"{stamp}\n{secret}"):
        return {"errcode": 310000, "errmsg": "sign not match"}
    if not body["markdown"]["title"] or not body["markdown"]["text"]:
        return {"errcode": 40035, "errmsg": "缺少参数 json"}
    if too_fast("dingtalk", 20):
        return {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
    return {"errcode": 0, "errmsg": "ok"}


def wecom(query, body):
    if query.get("key") != token:
        return {"errcode": 93000, "errmsg": "invalid webhook url"}
    kind = body["msgtype"]
    if len(body[kind]["content"].encode()) > {"text": 2048, "markdown": 4096}[kind]:
        return {"errcode": 40058, "errmsg": "content exceed max length"}
    if too_fast("wecom", 20):
        return {"errcode": 45009, "errmsg": "api freq out of limit"}
    return {"errcode": 0, "errmsg": "ok"}


def feishu(query, body):
    stamp = body.get("timestamp", "0")
    if abs(time.time() - int(stamp)) > 3600 or body.get("sign") != sign(f"{stamp}\n{secret}", ""):
        return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    if too_fast("feishu", 100):
        return {"code": 11232, "msg": "frequency limited"}
    return {"code": 0, "msg": "success", "data": {}}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        robots = {"/robot/send": dingtalk, "/cgi-bin/webhook/send": wecom, f"/open-apis/bot/v2/hook/{token}": feishu}
        robot = robots.get(url.path)
        answer = json.dumps(robot(query, body) if robot else {"code": 19001, "msg": "token invalid"}).encode()
        print(url.path.split("/")[1], answer.decode(), flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
