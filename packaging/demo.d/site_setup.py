"""What the demo stands on: a temporary folder with certificates, secrets and a configuration, and the processes that it
starts and, by their own ids only, ends."""

import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import subprocess
import time

CREDENTIAL = "demo-app"


class SetupError(Exception):
    """What went wrong, in words for the person at the terminal."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def openssl(*args):
    done = subprocess.run(["openssl", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SetupError(f"openssl {args[0]} failed:\n{done.stdout}")


def make_certificates(folder):
    """A CA of our own, and a certificate from it each for the node and the centre."""
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *new_key, "-keyout", str(ca_key), "-out", str(ca), "-days", "30", "-subj", "/CN=Demo CA",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    for name in ("node", "centre"):
        openssl("req", "-x509", *new_key, "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
                "-CA", str(ca), "-CAkey", str(ca_key), "-days", "30", "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")


def write_private(path, data):
    with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
        f.write(data)


def config_text(site, pace):
    return f"""# Written by packaging/demo: timings are short, so that an outage fits into a minute.
[node]
name = "demo-node"
region = "demo"
data_dir = "{site.folder}/data"
[listen]
address = "127.0.0.1:{site.node_port}"
certificate = "{site.folder}/node.pem"
key = "{site.folder}/node.key"
[admin]
socket = "{site.folder}/admin.sock"
listen = "127.0.0.1:{site.admin_port}"
[auth]
nonces = 200000
[[credential]]
id = "{CREDENTIAL}"
secret_file = "{site.folder}/secret"
scenes = ["LOGIN", "PAYMENT"]
[upstream]
kind = "central"
deadline = "{pace.deadline_ms}ms"
timeout_min = "300ms"
timeout_max = "{pace.deadline_ms // 2}ms"
ca_file = "{site.folder}/ca.pem"
[[upstream.endpoint]]
url = "https://127.0.0.1:{site.centre_port}"
weight = 100
[upstream.circuit]
minimum_calls = 20
sliding_window = {{ type = "count", size = 100 }}
open_wait = "{pace.open_wait_ms}ms"
open_wait_max = "{pace.open_wait_ms}ms"
half_open_wait = "2s"
recovery_ramp = {{ steps = [5, 10, 25, 50, 100], step = "{pace.ramp_step_ms}ms" }}
[cache]
size = "64MiB"
key_file = "{site.folder}/cache.key"
[[precheck]]
name = "residency"
attribute = "country"
allow = ["JP", "KR", "SG"]
[scene.LOGIN]
degrade = ["cache", "provisional"]
cache = {{ max_age = "15m" }}
provisional = {{ after = "{pace.provisional_after_ms}ms", budget_per_minute = {pace.provisional_budget}, per_subject_per_hour = 1 }}
[scene.PAYMENT]
degrade = ["cache"]
cache = {{ max_age = "2m" }}
"""


class Site:
    """The folder and the processes of one run."""

    def __init__(self, folder, bin_dir, log_dir):
        self.folder = pathlib.Path(folder)
        self.bin = pathlib.Path(bin_dir)
        self.logs = pathlib.Path(log_dir)
        self.processes = []  # (name, Popen), in the order of their start
        self.centre_port = self.control_port = self.node_port = self.admin_port = 0
        self.secret = secrets.token_hex(32)

    def prepare(self):
        make_certificates(self.folder)
        write_private(self.folder / "secret", self.secret.encode() + b"\n")
        write_private(self.folder / "cache.key", secrets.token_bytes(32))
        (self.folder / "data").mkdir(mode=0o700)

    def spawn(self, name, args, **streams):
        log = open(self.logs / f"{name}.log", "wb")
        process = subprocess.Popen([str(self.bin / args[0]), *args[1:]], stdin=subprocess.DEVNULL, stderr=log, **streams)
        log.close()
        self.processes.append((name, process))
        return process

    def log_tail(self, name, lines=12):
        text = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join("    " + line for line in text[-lines:])

    def start_centre(self, plan):
        process = self.spawn("central-sim", ["central-sim", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0",
                                             "--cert", str(self.folder / "centre.pem"), "--key",
                                             str(self.folder / "centre.key"), "--plan", json.dumps(plan)],
                             stdout=subprocess.PIPE)
        line = process.stdout.readline()
        if not line:
            raise SetupError("central-sim did not start:\n" + self.log_tail("central-sim"))
        ready = json.loads(line)
        self.centre_port, self.control_port = ready["port"], ready["controlPort"]

    def start_node(self, pace):
        self.node_port, self.admin_port = free_port(), free_port()
        config = self.folder / "holdfast.toml"
        config.write_text(config_text(self, pace))
        checked = subprocess.run([str(self.bin / "holdfast"), "--config", str(config), "--check"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if checked.returncode != 0:
            raise SetupError(f"holdfast --check exits {checked.returncode}:\n{checked.stdout}")
        process = self.spawn("node", ["holdfast", "--config", str(config)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if process.poll() is not None:
                raise SetupError(f"the node ended with status {process.returncode}:\n" + self.log_tail("node"))
            if self.healthy():
                return
            time.sleep(0.05)
        raise SetupError("the node did not answer /healthz within 10 s:\n" + self.log_tail("node"))

    def healthy(self):
        try:
            connection = self.connect_to_node(1)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def connect_to_node(self, timeout):
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        return http.client.HTTPSConnection("127.0.0.1", self.node_port, timeout=timeout, context=context)

    def control_centre(self, change):
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=5)
        connection.request("POST", "/_control", json.dumps(change))
        answer = connection.getresponse()
        if answer.status != 200:
            raise SetupError("central-sim refused " + json.dumps(change) + ": " + answer.read().decode())

    def load_arguments(self, url, pace, signed):
        args = ["holdfast-load", "--url", url, "--ca", str(self.folder / "ca.pem"), "--scene",
                "LOGIN=0.75,PAYMENT=0.25", "--subjects", str(pace.subjects), "--attribute", "country=JP"]
        if signed:
            args += ["--secret-id", CREDENTIAL, "--secret-file", str(self.folder / "secret")]
        return args

    def warm_up(self, url, pace):
        """A few requests of other subjects, so that connections stand and latencies are known before the clock runs."""
        args = self.load_arguments(url, pace, True) + ["--subject-prefix", "warm-", "--connections", "4",
                                                       "--max-requests", "100", "--duration", "3s"]
        self.spawn("warm-up", args, stdout=subprocess.DEVNULL).wait(20)

    def start_load(self, name, url, pace, rate, connections, timeout_ms, signed):
        args = self.load_arguments(url, pace, signed)
        args += ["--rate", str(rate), "--connections", str(connections), "--grow",
                 "--duration", f"{int(pace.total * 1000)}ms", "--timeout", f"{timeout_ms}ms",
                 "--json-interval", f"{int(pace.step * 1000)}ms", "--histogram"]
        return self.spawn(name, args, stdout=subprocess.PIPE, text=True)

    def stop(self, name, limit=12):
        """Ends one of our processes by its id and returns its exit status."""
        for known, process in self.processes:
            if known != name:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(limit)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            return process.returncode
        return None

    def stop_all(self):
        for name, _ in reversed(self.processes):
            self.stop(name, 3)
