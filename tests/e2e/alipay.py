#!/usr/bin/env python3
"""A node in front of an Alipay gateway, both real processes: what is answered, what is refused, what is never believed.

Usage: alipay.py BIN_DIR [NAME...]: runs every check, or those named. The gateway is central-sim.
"""
import errno, hashlib, hmac, http.client, json, os, pathlib, secrets, shutil, signal, socket, subprocess, sys, tempfile
import time, urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP_ID = "2021000000000001"
SECRET = b"a secret of twenty-five b"


def vectors(name):
    return json.loads((ROOT / "tests" / "vectors" / name).read_text())


class Site:
    """Folder, gateway and node; ends both."""

    def __init__(self, bin_dir, alipay="", scene="degrade = [\"cache\"]\ncache = { max_age = \"15m\" }", deadline="2s",
                 tables=""):
        self.bin = pathlib.Path(bin_dir)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-alipay-"))
        keys = vectors("alipay_keys.json")["keys"]
        for file, key in {"app.pem": "app_private_pkcs8", "app-public.pem": "app_public",
                          "alipay.pem": "alipay_private_pkcs1", "alipay-public.pem": "alipay_public"}.items():
            self.write(file, keys[key])
        self.write("secret", SECRET)
        self.write("cache.key", b"k" * 32)
        self.centre = self.start("central-sim", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0",
                                 *self.centre_words(), out=subprocess.PIPE)
        ports = json.loads(self.centre.stdout.readline())
        self.centre_port, self.control_port = ports["port"], ports["controlPort"]
        self.write("holdfast.toml", f"""
[node]
data_dir = "{self.path('data')}"
[listen]
address = "127.0.0.1:{self.free_port()}"
[admin]
socket = "{self.path('admin.sock')}"
listen = ""
[[credential]]
id = "app"
secret_file = "secret"
scenes = ["LOGIN"]
[cache]
size = "16MiB"
key_file = "cache.key"
{self.upstream(deadline, alipay)}
[upstream.circuit]
minimum_calls = 20
open_wait = "60s"
throttle_below = 0
{tables}
[scene.LOGIN]
{scene}
""")
        self.node = None
        self.start_node()

    def centre_words(self):
        """Of central-sim's command line, what makes it this site's centre."""
        return ["--alipay-app-id", APP_ID, "--alipay-app-key", self.path("app-public.pem"), "--alipay-key",
                self.path("alipay.pem")]

    def upstream(self, deadline, alipay):
        """The tables of the configuration that speak of the centre. Tries have time: machines that test are busy."""
        path = "" if "v3" in alipay else "/gateway.do"
        return f"""
[upstream]
kind = "alipay"
deadline = "{deadline}"
timeout_min = "1s"
timeout_max = "{deadline}"
[[upstream.endpoint]]
url = "http://127.0.0.1:{self.centre_port}{path}"
[upstream.alipay]
app_id = "{APP_ID}"
private_key_file = "app.pem"
alipay_public_key_file = "alipay-public.pem"
{alipay}
"""

    def path(self, name):
        return str(self.dir / name)

    def write(self, name, data):
        file = self.dir / name
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        file.chmod(0o600)

    def start(self, program, *arguments, out=None):
        log = open(self.dir / f"{program}.log", "ab")
        return subprocess.Popen([str(self.bin / program), *arguments], stdout=out or log, stderr=log)

    def free_port(self):
        """As free_port() of tests/support/e2e_process.h: below the ports of outgoing connections, and ours alone."""
        while True:
            port = 20000 + secrets.randbelow(12000)
            self.reserved = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    self.reserved.bind(f"\0holdfast-test-port-{port}")
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    self.reserved.close()
                    if error.errno != errno.EADDRINUSE:
                        raise
                    continue
            self.port = port
            return port

    def start_node(self):
        self.node = self.start("holdfast", "--config", self.path("holdfast.toml"))
        for _ in range(400):
            try:
                if self.http("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                pass
            if self.node.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError("the node did not start:\n" + self.log())

    def becomes(self, method, other):
        """Another method, which takes a restart; the gateway stays."""
        self.node.send_signal(signal.SIGTERM)
        self.node.wait(20)
        file = self.dir / "holdfast.toml"
        file.write_text(file.read_text().replace(method, other))
        self.start_node()

    def log(self):
        return (self.dir / "holdfast.log").read_text()

    def close(self):
        for process in (self.node, self.centre):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.node, self.centre):
            if process:
                process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)

    def http(self, method, path, body=b"", headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        out = answer.status, answer.read()
        connection.close()
        return out

    def signed(self, method, path, body=b"", credential="app"):
        stamp, nonce, digest = str(int(time.time())), secrets.token_hex(16), hashlib.sha256(body).hexdigest()
        host = f"127.0.0.1:{self.port}"
        text = f"{method}{host}{path}\n\n{stamp}\n{nonce}\n{digest}"
        headers = {"Authorization": f"HMAC-SHA256 SecretId={credential}, Signature=" +
                   hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest(),
                   "X-Timestamp": stamp, "X-Nonce": nonce, "X-Content-SHA256": digest}
        if body:
            headers["Content-Type"] = "application/json"
        status, answer = self.http(method, path, body, headers)
        return status, json.loads(answer or b"{}")

    def verify(self, order, subject="user-1", credential="app", **more):
        body = {"orderNo": order, "scene": "LOGIN", "subject": subject, **more}
        return self.signed("POST", "/v1/verifications", json.dumps(body).encode(), credential)

    def look_up(self, order, credential="app"):
        return self.signed("GET", f"/v1/verifications/{order}", credential=credential)

    def ctl(self, *verb, lines=False):
        tool = [str(self.bin / "holdfastctl"), "--socket", self.path("admin.sock"), "--json", *verb]
        done = subprocess.run(tool, check=True, capture_output=True, timeout=20, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()] if lines else json.loads(done.stdout or "null")

    def explain(self, request_id):
        return self.ctl("explain", request_id)

    def delivered(self):
        status, answer = self.http("GET", "/_notify", port=self.control_port)
        return json.loads(answer)["deliveries"]

    def plan(self, **alipay):
        self.centre_plan(alipay=alipay)

    def centre_plan(self, **plan):
        status, answer = self.http("POST", "/_control", json.dumps(plan).encode(), port=self.control_port)
        assert status == 200, answer

    def centre_stats(self):
        return json.loads(self.http("GET", "/_stats", port=self.control_port)[1])


def check(what, seen, wanted):
    assert seen == wanted, f"{what}: saw {seen!r}, wanted {wanted!r}"


def taken(what, got):
    """Of a 202: the centre's number of the verification, which is all that it says."""
    status, answer = got
    check(what, (status, answer.get("status"), sorted(answer)), (202, "pending", ["status", "verificationId"]))
    check(what + ": a number", len(answer["verificationId"]), 32)
    return answer["verificationId"]


def live(bin_dir):
    """A signed call is taken by a gateway that checks everything, and its outcome is the answer."""
    site = Site(bin_dir)
    try:
        status, answer = site.verify("order-1", evidence={"image": "/9j/4AAQ"})
        check("status", (status, answer.get("code")), (200, None))
        check("outcome", (answer["outcome"], answer["source"], answer["degraded"]), ("pass", "live", False))
        check("again", site.verify("order-1", evidence={"image": "/9j/4AAQ"})[1]["decidedAt"], answer["decidedAt"])
        check("looked up", site.look_up("order-1")[1]["outcome"], "pass")
        check("no gateway without its table", site.http("POST", "/gateway.do", b"a=b")[0], 404)
    finally:
        site.close()


def forged(bin_dir):
    """However the gateway's answer is forged, nothing is let through, and the caller gets 502."""
    site = Site(bin_dir)
    try:
        for n, forge in enumerate(FORGES):
            site.plan(forge=forge)
            status, answer = site.verify(f"order-{n}", f"user-{n}")
            check(forge, (status, answer.get("code"), "outcome" in answer), (502, "UpstreamInvalidResponse", False))
        for n, forge in enumerate(ODD):
            site.plan(forge=forge)
            check(forge, site.verify(f"order-o{n}", f"user-o{n}")[1].get("outcome"), "pass")
        site.plan(forge="none")
        check("healed", site.verify("order-x", "user-x")[1]["outcome"], "pass")
    finally:
        site.close()


def v3(bin_dir):
    """The protocol that signs in the head: a pass and a fail are answered, whatever is forged is not."""
    site = Site(bin_dir, alipay='protocol = "v3"')
    try:
        site.centre_plan(outcomes={"refused": "fail"})
        status, answer = site.verify("order-1", evidence={"image": "/9j/4AAQ"})
        check("pass", (status, answer.get("outcome"), answer.get("source")), (200, "pass", "live"))
        check("fail", site.verify("order-2", "refused")[1].get("outcome"), "fail")
        for n, forge in enumerate(["wrong_key", "sha1", "unsigned", "bad_base64", "tampered"]):
            site.plan(forge=forge)
            status, answer = site.verify(f"order-f{n}", f"user-{n}")
            check(forge, (status, answer.get("code"), "outcome" in answer), (502, "UpstreamInvalidResponse", False))
        site.plan(forge="none", answer={"code": "40002", "subCode": "isv.invalid-signature"})
        check("set-up", site.verify("order-s", "user-s")[0], 502)
        site.plan(answer=None, pending=True)
        before = site.centre_stats()["requests"]
        taken("pending", site.verify("order-p", "user-p"))
        assert site.centre_stats()["requests"] > before + 1, "a 202 of v3 is asked for again in the time that is left"
        site.plan(pending=False)
        check("healed", site.verify("order-x", "user-x")[1].get("outcome"), "pass")
        check("every try has a nonce of its own", site.centre_stats()["alipay"]["repeatedNonces"], 0)
    finally:
        site.close()


def setup(bin_dir):
    """A set-up that the gateway refuses is 502 without a ladder, said once aloud; a caller's own error is 400."""
    site = Site(bin_dir)
    try:
        check("remembered", site.verify("order-0")[0], 200)
        for n, (code, sub) in enumerate([("20001", "aop.invalid-auth-token"), ("40001", "isv.missing-app-id"),
                                         ("40002", "isv.invalid-signature"), ("40003", "isv.missing-signature-config"),
                                         ("40006", "isv.insufficient-isv-permissions")]):
            site.plan(answer={"code": code, "subCode": sub})
            status, answer = site.verify(f"order-s{n}")
            check(code, (status, answer["code"]), (502, "UpstreamInvalidResponse"))
        check("alarms", site.log().count("setup: the gateway answered 40006"), 1)
        site.plan(answer={"code": "40002", "subCode": "isv.invalid-parameter"})
        status, answer = site.verify("order-c")
        check("caller", (status, answer["code"]), (400, "InvalidRequest"))
        site.plan(answer={"code": "40004", "subCode": "REFUSED"})
        status, answer = site.verify("order-b")
        check("business", (status, answer["outcome"], answer["source"]), (200, "fail", "live"))
        told = site.explain(answer["requestId"])["attempts"][0]
        check("explained", (told["upstreamCode"], len(told["upstreamTraceId"])), ("40004 REFUSED", 32))
        check("told", site.log().count("40004 REFUSED is no code that is known, and counts as a refusal"), 1)
    finally:
        site.close()


def waits(bin_dir):
    """A 503 that says when to come again is throttling, and no try comes before."""
    for alipay in ("", 'protocol = "v3"'):
        site = Site(bin_dir, alipay=alipay, deadline="3s")
        try:
            site.centre_plan(mode="unavailable", retryAfterSeconds=1)
            status, answer = site.verify("order-1")
            assert status in (502, 503) and "outcome" not in answer, (status, answer)
            tries = site.explain(answer["requestId"])["attempts"]
            check("throttled", {one["result"] for one in tries}, {"throttled"})
            starts = [one["startedMs"] for one in tries]
            assert len(starts) > 1 and all(b - a >= 1000 for a, b in zip(starts, starts[1:])), starts
        finally:
            site.close()


def pending(bin_dir):
    """An order that is taken but not decided is 202, is no outcome, and is asked for again."""
    site = Site(bin_dir)
    try:
        site.plan(pending=True)
        number = taken("taken", site.verify("order-1"))
        check("looked up", taken("looked up", site.look_up("order-1")), number)
        site.plan(pending=False)
        check("decided", site.verify("order-1")[1]["outcome"], "pass")
        check("looked up later", site.look_up("order-1")[1]["outcome"], "pass")
    finally:
        site.close()


def begun(bin_dir):
    """A call that begins a verification tells its number, by which a node that queries gets the outcome."""
    data, facts = "datadigital.fincloud.generalsaas.face.", {"certName": "A", "certNo": "1"}
    back = {**facts, "returnUrl": "https://shop.example/back?a=1&b=2"}
    for api in ("alipay.user.certify.open.", data + "certify.", data + "verification."):
        site = Site(bin_dir, alipay=f'method = "{api}initialize"')
        try:
            if api.startswith("alipay."):
                status, answer = site.verify("order-0", attributes=facts)
                check("nowhere to go back to", (status, answer["code"]), (400, "InvalidRequest"))
            picture = {"evidence": {"image": "/9j/4AAQ"}} if api.startswith("alipay.") else {}
            number = taken(api, site.verify("order-1", attributes=back, **picture))
            check("again", taken("again", site.verify("order-1", attributes=back, **picture)), number)
            assert taken("another", site.verify("order-2", attributes=back)) != number
            check("looked up", taken("looked up", site.look_up("order-1")), number)
            site.becomes(f"{api}initialize", f"{api}query")
            check("still known", taken("still known", site.look_up("order-1")), number)
            asked = {"attributes": {"certifyId": number}}
            if api != data + "certify.":  # whose F is an outcome
                site.plan(processing=1)
                check("not yet", site.verify("order-3", **asked), (202, {"status": "pending"}))
            status, answer = site.verify("order-3", **asked)
            check("decided", (status, answer.get("outcome"), answer.get("source")), (200, "pass", "live"))
        finally:
            site.close()


FORGES = ["wrong_key", "sha1", "unsigned", "bad_base64", "tampered", "duplicate_node", "wrong_node"]
ODD = ["sign_first", "whitespace", "escaped_unicode"]  # unusual, but signed over the bytes that are sent
CHECKS = [live, forged, v3, setup, waits, pending, begun]


def run(checks, names, *arguments):
    """Every check, or those named, each told; the exit status."""
    failed = 0
    for one in checks:
        if names and one.__name__ not in names:
            continue
        try:
            one(*arguments)
            print(f"ok      {one.__name__}: {one.__doc__.strip().splitlines()[0]}", flush=True)
        except Exception as problem:  # every check is told, whatever ended it
            failed += 1
            print(f"FAILED  {one.__name__}: {problem!r}", flush=True)
    return 1 if failed else 0


def main(checks):
    return run(checks, sys.argv[2:], sys.argv[1])


if __name__ == "__main__":
    sys.exit(main(CHECKS))
