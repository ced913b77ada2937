#!/usr/bin/env python3
"""A real Alertmanager with the shipped routes, the shipped DingTalk relay, and stand-ins for DingTalk and a mail host.

Prints every fault; exit 1 when there is one. All of it on loopback, in a temporary folder.
"""
import base64
import hashlib
import hmac
import http.server
import importlib.machinery
import json
import pathlib
import queue
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = TOP / "packaging" / "prometheus"
SECRET = "SEC-of-the-robot"
MARKUP = "](http://evil.example) *bold* <b>"


class Robot(http.server.BaseHTTPRequestHandler):
    """DingTalk's side: checks the signature as it would, and keeps what came."""

    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        timestamp = query["timestamp"][0]
        mac = hmac.new(SECRET.encode(), f"{timestamp}\n{SECRET}".encode(), hashlib.sha256).digest()
        signed = query["sign"] == [base64.b64encode(mac).decode()] and abs(time.time() - int(timestamp) / 1000) < 60
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.put((signed, query["access_token"], message))
        body = b'{"errcode":0,"errmsg":"ok"}' if self.server.well else b'{"errcode":310000,"errmsg":"sign not match"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Mail(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self):
        self.wfile.write(b"220 mail\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part
                self.server.got.put(text.decode())
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


def serve(kind, handler):
    server = kind(("127.0.0.1", 0), handler)
    server.got, server.well = queue.Queue(), True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(url, value, token=None):
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def routes(folder, mail, relay):
    text = (PROMETHEUS / "alertmanager.yml").read_text()
    for old, new in (("mail.example.com:587", f"127.0.0.1:{mail}"), ("smtp_require_tls: true", "smtp_require_tls: false"),
                     ('  smtp_auth_username: "holdfast@example.com"\n', ""),
                     ("  smtp_auth_password_file: /etc/prometheus/secrets/smtp-password\n", ""),
                     ("group_wait: 30s", "group_wait: 0s"), ("group_interval: 5m", "group_interval: 1s"),
                     ("127.0.0.1:8060", f"127.0.0.1:{relay}"), ("/etc/prometheus/secrets", folder)):
        if old not in text:
            raise SystemExit(f"alertmanager.yml: {old!r} is not there")
        text = text.replace(old, new)
    pathlib.Path(folder, "alertmanager.yml").write_text(text)


def alert(name, severity, ends=None):
    out = {"labels": {"alertname": name, "severity": severity, "instance": "pop-1"},
           "annotations": {"summary": f"\u4e2d\u5fc3\u7194\u65ad {MARKUP}"}}
    return [out | ({"endsAt": ends} if ends else {})]


def faults_of_relay(url, robot):
    hook = {"alerts": [], "groupLabels": {}}
    for what, expected, got in (("no token", 401, post(url, hook)), ("another token", 401, post(url, hook, "wrong")),
                                ("no webhook", 400, post(url, {"x": 1}, "token")), ("a list", 400, post(url, [], "token"))):
        if got != expected:
            yield f"relay, {what}: {got} instead of {expected}"
    many = {"alerts": [{"status": "firing", "labels": {"alertname": "x" * 2000}, "startsAt": "2026-01-02T03:04:05Z"}] * 300,
            "groupLabels": {}}
    robot.well = False
    if post(url, many, "token") != 502:
        yield "relay: a refusal of the robot is not passed on"
    robot.well = True
    text = robot.got.get(timeout=5)[2]["markdown"]["text"]
    if len(text.encode()) > 20000:
        yield "relay: a text that a robot does not take"
    statuses = [post(url, hook, "token") for _ in range(20)]
    if statuses[-1] != 503 or robot.got.qsize() > 18:
        yield f"relay: the minute's messages are not counted: {statuses}"


def faults_of_vectors():
    """The relay's functions over recorded webhooks and the robot's golden signature."""
    sys.dont_write_bytecode = True
    relay = importlib.machinery.SourceFileLoader("relay", str(PROMETHEUS / "dingtalk-relay")).load_module()
    golden = json.loads((TOP / "tests/vectors/http_headers.json").read_text())["dingtalk_robot_sign"]
    if golden["query"] != f"&timestamp={golden['timestamp_ms']}&sign={relay.signature(golden['secret'], golden['timestamp_ms'])}":
        yield "relay: another signature than the robot's"
    recorded = json.loads((TOP / "tests/vectors/alertmanager_webhook.json").read_text())["posts"]
    titles = [relay.message(post["body"])["markdown"]["title"] for post in recorded]
    if titles != ["[FIRING: 1] EdgeBreakerOpen", "[RESOLVED] EdgeBreakerOpen"]:
        yield f"relay: {titles}"


def faults_of_routes(api, robot, mail):
    post(api, alert("HoldfastSlow", "warning"))
    text = mail.got.get(timeout=15)
    if "HoldfastSlow" not in text or not robot.got.empty():
        yield "a warning belongs into a mail, and only there"
    post(api, alert("HoldfastCircuitOpen", "critical"))
    signed, token, message = robot.got.get(timeout=15)
    if not signed or token != ["t0ken"]:
        yield "the robot would refuse the signature or the token"
    shown = message["markdown"]["text"]
    if "HoldfastCircuitOpen" not in shown or "\u4e2d\u5fc3\u7194\u65ad" not in shown:
        yield f"the message does not say what it is about: {shown}"
    if "\\]\\(http" not in shown or "\\<b\\>" not in shown:
        yield f"markup of a label is not shown as text: {shown}"
    if "HoldfastCircuitOpen" not in mail.got.get(timeout=15):
        yield "what is urgent belongs into a mail as well"
    post(api, alert("HoldfastCircuitOpen", "critical", "2026-01-02T03:04:05Z"))
    if "RESOLVED" not in robot.got.get(timeout=15)[2]["markdown"]["title"]:
        yield "the end is not said"


def run(folder):
    robot, mail = serve(http.server.HTTPServer, Robot), serve(socketserver.TCPServer, Mail)
    for name, text in (("robot", f"http://127.0.0.1:{robot.server_port}/robot/send?access_token=t0ken\n"),
                       ("secret", SECRET + "\n"), ("dingtalk-relay-token", "token\n")):
        pathlib.Path(folder, name).write_text(text)
    relay = subprocess.Popen([PROMETHEUS / "dingtalk-relay", "--robot-file", f"{folder}/robot", "--secret-file",
                              f"{folder}/secret", "--token-file", f"{folder}/dingtalk-relay-token", "--listen",
                              "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    relay_port = relay.stdout.readline().strip().rpartition(":")[2]
    api_port = free_port()
    routes(folder, mail.server_address[1], relay_port)
    manager = subprocess.Popen(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml",
                                f"--storage.path={folder}/data", f"--web.listen-address=127.0.0.1:{api_port}",
                                "--cluster.listen-address="], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{api_port}/-/ready", timeout=2)
                break
            except OSError:
                time.sleep(0.05)
        yield from faults_of_routes(f"http://127.0.0.1:{api_port}/api/v2/alerts", robot, mail)
        yield from faults_of_relay(f"http://127.0.0.1:{relay_port}/dingtalk", robot)
    except queue.Empty:
        manager.terminate()
        yield "a message did not come: " + manager.communicate()[1]
    finally:
        for process in (manager, relay):
            process.terminate()
        said = relay.communicate()[1]
        manager.wait()
    if SECRET in said or "t0ken" in said:
        yield "the relay's log gives a secret away"


def main():
    with tempfile.TemporaryDirectory(prefix="holdfast-alerting-") as folder:
        faults = [*faults_of_vectors(), *run(folder)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
