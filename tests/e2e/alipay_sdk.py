#!/usr/bin/env python3
"""The official alipay-sdk of npm as the caller of a node, and as the judge of what the node sends to Alipay.

Usage: alipay_sdk.py BIN_DIR SDK_DIR [NAME...]: runs every check, or those named. SDK_DIR: made by alipay_sdk/install.
"""
import http.server, json, os, pathlib, subprocess, sys, threading, urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from alipay import APP_ID, ROOT, check, run, vectors
from drop_in import GATEWAY, METHOD, PROVISIONAL, Site

KEYS = {name: text.strip() for name, text in vectors("alipay_keys.json")["keys"].items()}


def sdk(*orders):
    """What the SDK makes of each: {"result"} or {"error"}. Its timestamps are of the local time, so it is China's."""
    done = subprocess.run(["node", str(ROOT / "tests/support/alipay_sdk/client.cjs"), SDK], timeout=120, check=True,
                          input=json.dumps(orders).encode(), stdout=subprocess.PIPE,
                          env={**os.environ, "TZ": "Asia/Shanghai", "NODE_PATH": ""})
    return json.loads(done.stdout)


def call(site, order, subject="user-1", method=METHOD, key="app_private_pkcs1", edge=True, alipay="alipay_public"):
    out = {"do": "exec", "method": method,
           "config": {"appId": APP_ID, "privateKey": KEYS[key], "alipayPublicKey": KEYS[alipay],
                      "gateway": f"http://127.0.0.1:{site.port}/gateway.do", "timeout": 10000},
           "bizContent": {"outerOrderNo": order, "verifyScene": "LOGIN", "userId": subject}}
    if edge:
        out["edgePublicKey"] = KEYS["other_public"]
    return out


def live():
    """With one URL changed the SDK verifies and reads the live answer; a wrong key and another method are told to it."""
    site = Site(BIN, alipay=GATEWAY)
    try:
        passed, again, stranger, other, distrusted = sdk(
            call(site, "order-1", edge=False), call(site, "order-1", edge=False), call(site, "order-2", key="other_private_pkcs1"),
            call(site, "order-3", method="alipay.trade.query", edge=False),
            call(site, "order-4", "user-4", edge=False, alipay="other_public"))
        check("live", (passed["result"]["code"], passed["result"]["passed"]), ("10000", "T"))
        check("no mark of the node", [k for k in passed["result"] if k.startswith("edge")], [])
        told = [passed["result"].pop("traceId"), again["result"].pop("traceId")]
        check("again", again, passed)
        check("a number for each", (told[0] != told[1], told[0].startswith("req-")), (True, True))
        check("a stranger", stranger["result"]["subCode"], "isv.invalid-signature")
        # The SDK cannot verify an error_response, of Alipay as little as of a node.
        assert "error" in other, other
        assert "验签失败" in distrusted["error"], distrusted
    finally:
        site.close()


def degraded():
    """Without the gateway the SDK gets marked answers that verify by the node's key, and by no other."""
    site = Site(BIN, alipay=GATEWAY, scene=PROVISIONAL)
    try:
        check("live", sdk(call(site, "order-0"))[0]["result"]["passed"], "T")
        site.centre.kill()
        site.centre.wait()
        sdk(*[call(site, f"order-f{n}", f"user-f{n}") for n in range(8)])
        cached, provisional, nothing, unaware = sdk(
            call(site, "order-1"), call(site, "order-2", "user-new"), call(site, "order-3", "user-new"),
            call(site, "order-4", edge=False))
        cached, provisional, nothing = cached["result"], provisional["result"], nothing["result"]
        check("cached", (cached["passed"], cached["edgeDegraded"], cached["edgeSource"]), ("T", "true", "cache"))
        check("provisional", (provisional["edgeOutcome"], "passed" in provisional), ("provisional", False))
        check("none", (nothing["code"], nothing["subCode"]), ("20000", "isp.unknow-error"))
        # Who trusts Alipay's key alone never takes it for Alipay's word.
        assert "验签失败" in unaware["error"], unaware
    finally:
        site.close()


CERTS = {name: text.strip() for name, text in vectors("alipay_keys.json")["certs"].items()}


class CertificateSite(Site):
    """Its gateway and its node are in certificate mode."""

    def centre_words(self):
        for name in ("app_crt", "alipay_crt", "root_bundle"):
            self.write(name, CERTS[name])
        words = super().centre_words()
        words[words.index("--alipay-app-key") + 1] = self.path("app_crt")
        return words + ["--alipay-cert", self.path("alipay_crt"), "--alipay-roots", self.path("root_bundle")]

    def upstream(self, deadline, alipay):
        return super().upstream(deadline, alipay).replace(
            "alipay_public_key_file = \"alipay-public.pem\"",
            "app_cert_file = \"app_crt\"\nalipay_cert_file = \"alipay_crt\"\n"
            "alipay_root_cert_file = \"root_bundle\"", 1)


def certificates():
    """An SDK in certificate mode verifies the live answer by the certificate that it names, and nothing else."""
    site = CertificateSite(BIN, alipay=GATEWAY, scene=PROVISIONAL)
    try:
        def of(order, subject="user-1", edge=True):
            out = call(site, order, subject, edge=edge)
            del out["config"]["alipayPublicKey"]
            out["config"].update(appCertContent=CERTS["app_crt"], alipayPublicCertContent=CERTS["alipay_crt"],
                                 alipayRootCertContent=CERTS["root_bundle"])
            return out
        check("the node's own call", site.verify("order-0", "user-0")[1]["outcome"], "pass")
        live, again, plain = sdk(of("order-1", edge=False), of("order-1", edge=False), call(site, "order-2", "user-2"))
        check("live", (live["result"]["code"], live["result"]["passed"]), ("10000", "T"))
        check("again", again["result"]["passed"], "T")
        # The gateway wants serial numbers of everybody: what it says of that is said to the caller.
        check("without certificates", "isv." in json.dumps(plain), True)
        site.plan(forge="unknown_cert")
        forged = sdk(of("order-3", "user-3"))[0]["result"]
        check("another certificate", (forged["code"], "passed" in forged), ("20000", False))
        site.centre.kill()
        site.centre.wait()
        sdk(*[of(f"order-f{n}", f"user-f{n}") for n in range(8)])
        cached, unaware = sdk(of("order-4"), of("order-5", edge=False))
        check("degraded", (cached["result"]["passed"], cached["result"]["edgeDegraded"]), ("T", "true"))
        assert "验签失败" in unaware["error"], unaware
    finally:
        site.close()


def version_3():
    """The SDK's calls of version 3 are told in its own form that this is not served, and never go on."""
    site = Site(BIN, alipay=GATEWAY)
    try:
        config = {**call(site, "order-1")["config"], "endpoint": f"http://127.0.0.1:{site.port}"}
        told = sdk({"do": "curl", "config": config, "path": "/v3/alipay/user/faceverify/verify",
                    "body": {"outer_order_no": "order-1"}})[0]
        assert "version 2 of Alipay's protocol" in told["error"], told
        check("nothing went on", site.centre_stats()["alipay"]["answered"], 0)
    finally:
        site.close()


class Recorder(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        Recorder.seen.append(dict(urllib.parse.parse_qsl(self.path.partition("?")[2] + "&" + body)))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def judged():
    """What the node sends to Alipay, of its own or passed on, has a signature that the SDK verifies."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = Site(BIN, alipay=GATEWAY)
    try:
        file = site.dir / "holdfast.toml"
        file.write_text(file.read_text().replace(f":{site.centre_port}/gateway.do", f":{server.server_port}/gateway.do"))
        site.node.terminate()
        site.node.wait(20)
        site.start_node()
        site.verify("order-1")
        own = len(Recorder.seen)
        sdk(call(site, "order-2", "user&=+ 用户"))
        passed_on = Recorder.seen[own:]
        assert own > 0 and passed_on, Recorder.seen
        check("passed on", json.loads(passed_on[0]["biz_content"])["user_id"], "user&=+ 用户")
        both = [Recorder.seen[0], passed_on[0], {**passed_on[0], "notify_url": "http://evil"}]
        verdicts = sdk(*[{"do": "verify", "privateKey": KEYS["app_private_pkcs1"], "publicKey": KEYS["app_public"],
                          "params": one} for one in both])
        check("verified", verdicts, [{"result": True}, {"result": True}, {"result": False}])
    finally:
        site.close()
        server.shutdown()
        server.server_close()


CHECKS = [live, degraded, certificates, version_3, judged]


def main():
    global BIN, SDK
    BIN, SDK, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    return run(CHECKS, names)


if __name__ == "__main__":
    sys.exit(main())
