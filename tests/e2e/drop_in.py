#!/usr/bin/env python3
"""POST /gateway.do: calls signed for Alipay that come to a node instead; both and the gateway are real processes.

Usage: drop_in.py BIN_DIR [NAME...]: runs every check, or those named.
"""
import base64, http.client, json, pathlib, re, signal, subprocess, sys, threading, time, urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from notices import notify
from alipay import APP_ID, Site as AlipaySite, check, run, vectors

METHOD = "alipay.user.faceverify.verify"
NODE = METHOD.replace(".", "_") + "_response"
GATEWAY = f"""
[gateway]
signing_key_file = "edge.pem"
[[gateway.app]]
app_id = "{APP_ID}"
credential = "app"
public_key_file = "app-public.pem"
"""
PROVISIONAL = ("degrade = [\"cache\", \"provisional\"]\ncache = { max_age = \"15m\" }\n"
               "provisional = { after = \"0s\", budget_per_minute = 100, per_subject_per_hour = 1 }")


class Site(AlipaySite):
    def start_node(self):
        self.write("shop-secret", "the shop's secret, 32 bytes long")
        self.write("edge.pem", vectors("alipay_keys.json")["keys"]["other_private_pkcs1"])
        self.write("edge-public.pem", vectors("alipay_keys.json")["keys"]["other_public"])
        super().start_node()

    def sign(self, text, key="app.pem", digest="-sha256"):
        done = subprocess.run(["openssl", "dgst", digest, "-sign", self.path(key)], input=text.encode(),
                              capture_output=True, check=True)
        return base64.b64encode(done.stdout).decode()

    def good(self, text, sign, key):
        self.write("sign.bin", base64.b64decode(sign))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.path(key), "-signature",
                               self.path("sign.bin")], input=text, capture_output=True)
        return done.returncode == 0

    def params(self, order, subject="user-1", **more):
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600))
        biz = {"outer_order_no": order, "verify_scene": "LOGIN", "user_id": subject}
        out = {"method": METHOD, "app_id": APP_ID, "charset": "utf-8", "version": "1.0", "sign_type": "RSA2",
               "timestamp": now, "biz_content": json.dumps(biz)}
        out.update(more)
        return {k: v for k, v in out.items() if v is not None}

    def send(self, params, key="app.pem", digest="-sha256", sign=None, query="", body=""):
        """Signed by the key, or with `sign`; the node of the answer."""
        text = "&".join(f"{k}={v}" for k, v in sorted(params.items()))
        signed = self.sign(text, key, digest) if sign is None else sign
        self.headers, self.raw = self.post(params, signed, query, body)
        whole = json.loads(self.raw)
        self.name = next(iter(whole))
        # The bytes between the first colon and the signature are what is signed.
        inner = self.raw[self.raw.index(b":") + 1:self.raw.rindex(b',"sign"')]
        self.by_edge = self.good(inner, whole["sign"], "edge-public.pem")
        self.by_alipay = self.good(inner, whole["sign"], "alipay-public.pem")
        return whole[self.name]

    def post(self, params, signed, query="", body="", port=None):
        """As the SDK lays it out, query and body put behind: head and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        public = {k: v for k, v in params.items() if k != "biz_content"}
        if signed:
            public["sign"] = signed
        target = "/gateway.do?" + urllib.parse.urlencode(public) + query
        content = urllib.parse.urlencode({"biz_content": params["biz_content"]}) + body
        connection.request("POST", target, content,
                           {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        check("status", answer.status, 200)
        return answer.headers, raw

    def call(self, order, subject="user-1", **more):
        return self.send(self.params(order, subject, **more))



def gateway_site(**more):
    return Site(BIN, alipay=GATEWAY, **more)


def live():
    """The gateway's own answer comes through byte for byte; the same order again gets the same bytes."""
    site = gateway_site()
    try:
        node = site.call("order-1")
        check("passed", (node["code"], node["passed"], site.name), ("10000", "T", NODE))
        check("signed by Alipay alone", (site.by_alipay, site.by_edge), (True, False))
        check("no mark of ours", [k for k in node if k.startswith("edge_")], [])
        check("headers", (site.headers["X-Edge-Source"], site.headers["X-Edge-Degraded"]), ("live", "false"))
        first = site.raw
        node = site.call("order-1")
        check("again, in Alipay's words", (node["passed"], site.by_alipay, site.raw), ("T", True, first))
        check("marked", (site.headers["X-Edge-Repeated"], site.headers["Cache-Status"]),
              ("true", "holdfast; hit; detail=order"))
        check("no second call", gateway_calls(site), 1)
        check("looked up", site.look_up("order-1")[1]["outcome"], "pass")
        node = site.call("order-1", "user-2")
        check("another body", (node["code"], node["sub_code"], node["edge_code"]),
              ("40002", "isv.invalid-parameter", "OrderConflict"))
        site.plan(answer={"code": "40002", "subCode": "isv.invalid-parameter"})
        check("the gateway's refusal", (site.call("order-2")["sub_code"], site.by_alipay),
              ("isv.invalid-parameter", True))
        site.plan(forge="wrong_key")
        node = site.call("order-3", "user-3")
        check("forged upstream", (node["code"], node["sub_code"], site.by_edge), ("20000", "isp.unknow-error", True))
    finally:
        site.close()


def undecided():
    """What Alipay signs while it decides nothing comes through byte for byte too; where a rung answers, that does."""
    site = gateway_site(scene=PROVISIONAL)
    try:
        check("remembered", site.call("order-1")["passed"], "T")
        edge = "UpstreamInvalidResponse"
        for n, (code, sub) in enumerate([("40005", "isv.app-call-limited"), ("20000", "isp.unknow-error"),
                                         ("40004", "SYSTEM_ERROR")]):
            site.plan(answer={"code": code, "subCode": sub})
            params = site.params(f"order-u{n}", f"user-u{n}")
            node = site.send(params)
            check("as Alipay says it", (node["code"], node["sub_code"], site.name), (code, sub, NODE))
            check("signed by Alipay alone", (site.by_alipay, site.by_edge), (True, False))
            check("its bytes", site.raw, alipays_own(site, params))
            check("headers", (site.headers["X-Edge-Source"], site.headers["X-Edge-Code"],
                              site.headers["X-Edge-Outcome"]), ("live", edge, None))
            assert int(site.headers["Retry-After"]) > 0
            told = site.ctl("explain", site.headers["X-Request-Id"])
            check("explained", (told["code"], len(told["attempts"]) > 0), (edge, True))
        for forge in ("wrong_key", "unsigned"):
            site.plan(forge=forge)
            node = site.call("order-f" + forge, "user-f" + forge)
            check(forge, (node["code"], node["edge_code"], site.by_edge), ("20000", edge, True))
        site.plan(forge="none")
        for n in range(2):
            site.call(f"order-n{n}", f"user-n{n}")
        node = site.call("order-2")
        check("from the cache", (node["passed"], node["edge_source"], site.by_edge), ("T", "cache", True))
        check("after a call", len(site.ctl("explain", site.headers["X-Request-Id"])["attempts"]) > 0, True)
        for n in range(2, 12):
            site.call(f"order-n{n}", f"user-n{n}")
        node = site.call("order-3", "user-new")
        check("provisional", (node["edge_outcome"], site.by_edge), ("provisional", True))
    finally:
        site.close()


def alipays_own(site, params):
    """What the gateway itself says to the same call."""
    sign = site.sign("&".join(f"{k}={v}" for k, v in sorted(params.items())))
    return site.post(params, sign, port=site.centre_port)[1]


def gateway_calls(site):
    status, answer = site.http("GET", "/_stats", port=site.control_port)
    return json.loads(answer)["alipay"]["answered"]


def refused():
    """What Alipay's gateway would refuse is refused in its words, signed by the node, and never passed on."""
    site = gateway_site()
    try:
        now = time.time() + 8 * 3600
        stamp = lambda away: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + away))
        cases = [
            ("no app", {"app_id": None}, {}, "40001", "isv.missing-app-id"),
            ("unknown app", {"app_id": "2021000000000009"}, {}, "40002", "isv.invalid-app-id"),
            ("no method", {"method": None}, {}, "40001", "isv.missing-method"),
            ("another method", {"method": "alipay.trade.pay"}, {}, "40002", "isv.invalid-method"),
            ("charset", {"charset": "GBK"}, {}, "40002", "isv.invalid-charset"),
            ("no version", {"version": None}, {}, "40001", "isv.missing-version"),
            ("format", {"format": "XML"}, {}, "40002", "isv.invalid-format"),
            ("no time", {"timestamp": None}, {}, "40001", "isv.missing-timestamp"),
            ("old", {"timestamp": stamp(-400)}, {}, "40002", "isv.invalid-timestamp"),
            ("early", {"timestamp": stamp(400)}, {}, "40002", "isv.invalid-timestamp"),
            ("UTC", {"timestamp": stamp(-8 * 3600)}, {}, "40002", "isv.invalid-timestamp"),
            ("no such day", {"timestamp": "2026-02-30 00:00:00"}, {}, "40002", "isv.invalid-timestamp"),
            ("no sign type", {"sign_type": None}, {}, "40001", "isv.missing-signature-type"),
            ("SHA-1", {"sign_type": "RSA"}, {"digest": "-sha1"}, "40002", "isv.invalid-signature-type"),
            ("SHA-1 as RSA2", {}, {"digest": "-sha1"}, "40002", "isv.invalid-signature"),
            ("another key", {}, {"key": "edge.pem"}, "40002", "isv.invalid-signature"),
            ("no signature", {}, {"sign": ""}, "40001", "isv.missing-signature"),
            ("unsigned field", {}, {"query": "&notify_url=http%3A%2F%2Fevil"}, "40002", "isv.invalid-signature"),
            ("twice in the query", {}, {"query": "&method=" + METHOD}, "40002", "isv.invalid-parameter"),
            ("in both", {}, {"body": "&app_id=" + APP_ID}, "40002", "isv.invalid-parameter"),
            ("encrypted", {"encrypt_type": "AES"}, {}, "40002", "isv.invalid-encrypt-type"),
            ("no JSON", {"biz_content": "{"}, {}, "40002", "isv.illegal-json"),
            ("a number", {"biz_content": '{"outer_order_no":1}'}, {}, "40002", "isv.invalid-parameter"),
            ("no subject", {"biz_content": '{"outer_order_no":"o","verify_scene":"LOGIN"}'}, {}, "40002",
             "isv.invalid-parameter"),
            ("scene", {"biz_content": '{"outer_order_no":"o","verify_scene":"X","user_id":"u"}'}, {}, "40006",
             "isv.insufficient-isv-permissions"),
        ]
        for name, more, how, code, sub in cases:
            node = site.send(site.params("order-r", **more), **how)
            check(name, (node["code"], node["sub_code"], site.by_edge), (code, sub, True))
            check(name + ": no challenge", site.headers["WWW-Authenticate"], None)
        check("under the method's name", site.name, NODE)
        check("nothing went on", gateway_calls(site), 0)
        check("the healthy one", site.call("order-h")["passed"], "T")
        check("GET", site.http("GET", "/gateway.do")[0], 405)
    finally:
        site.close()


def others():
    """A notification for the node's own app decides nothing of a merchant's order, whose app is another one."""
    other = "2021000000000077"
    shop = GATEWAY + f"""
[[gateway.app]]
app_id = "{other}"
credential = "shop"
public_key_file = "app-public.pem"
[[credential]]
id = "shop"
secret_file = "shop-secret"
scenes = ["LOGIN"]
"""
    site = Site(BIN, alipay=shop)
    try:
        node = site.call("order-1", app_id=other)  # the gateway does not know that app
        check("refused there", (node["code"] != "10000", "passed" in node), (True, False))
        check("none of ours", notify(site, orderNo="order-1", notifyId="n-1", passed="T"), (200, "success"))
        check("still", "passed" in site.call("order-1", app_id=other), False)
        check("the node's own", site.call("order-2")["passed"], "T")
        check("reversed", notify(site, orderNo="order-2", notifyId="n-2", passed="F"), (200, "success"))
        check("by a notification", site.call("order-2")["passed"], "F")
    finally:
        site.close()
    # A credential that asks under the node's own app too hears of those orders, and of no other.
    site = Site(BIN, alipay=shop.replace('credential = "shop"', 'credential = "app"'))
    try:
        check("passed", site.verify("order-1")[1]["outcome"], "pass")
        check("reversed", notify(site, orderNo="order-1", notifyId="n-1", passed="F"), (200, "success"))
        check("looked up", site.look_up("order-1")[1]["outcome"], "fail")
        site.call("order-2", app_id=other)
        check("of a number of the merchant's", notify(site, orderNo="order-2", notifyId="n-2", passed="F"),
              (200, "success"))
        check("untouched", "passed" in site.call("order-2", app_id=other), False)
        site.ctl("degrade", "on", "--for", "5m", "--reason", "test")
        assert site.verify("order-3")[1].get("outcome") != "pass"
    finally:
        site.close()


def degraded():
    """With the gateway gone: the remembered outcome and a provisional answer, marked and signed by the node."""
    site = gateway_site(scene=PROVISIONAL)
    try:
        check("live", site.call("order-1")["passed"], "T")
        site.centre.kill()
        site.centre.wait()
        for n in range(12):
            site.call(f"order-f{n}", f"user-f{n}")
        node = site.call("order-2")
        check("from the cache", (node["code"], node["passed"], node["edge_degraded"], node["edge_source"]),
              ("10000", "T", "true", "cache"))
        check("signed by the node alone", (site.by_edge, site.by_alipay), (True, False))
        check("headers", (site.headers["X-Edge-Degraded"], site.headers["X-Edge-Source"]), ("true", "cache"))
        node = site.call("order-3", "user-new")
        check("provisional", (node["edge_source"], node["edge_outcome"], "passed" in node),
              ("policy", "provisional", False))
        told = site.ctl("explain", site.headers["X-Request-Id"])
        check("explained", (told["credential"], told["orderNo"], told["outcome"]), ("app", "order-3", "provisional"))
        journal = site.ctl("journal", "tail", "-n", "50", lines=True)
        check("journalled", [e["fields"]["orderNo"] for e in journal if e["kind"] == "provisional"][-1], "order-3")
        check("the same again", site.call("order-3", "user-new")["edge_decided_at"], node["edge_decided_at"])
        node = site.call("order-4", "user-new")
        check("no rung left", (node["code"], node["sub_code"], node["edge_code"], site.by_edge),
              ("20000", "isp.unknow-error", "VerificationUnavailable", True))
    finally:
        site.close()


def together():
    """Many identical calls at once are one call to Alipay, and each gets its bytes; our refusals have its codes."""
    site = gateway_site(scene="degrade = []\n" + RULES)
    try:
        answer = site.http("POST", "/_control", b'{"latencyMs":{"min":500,"max":500}}', port=site.control_port)
        check("slow", answer[0], 200)
        params = site.params("order-1")
        sign = site.sign("&".join(f"{k}={v}" for k, v in sorted(params.items())))
        raws, threads = [], []
        for _ in range(6):
            threads.append(threading.Thread(target=lambda: raws.append(site.post(params, sign)[1])))
            threads[-1].start()
        for thread in threads:
            thread.join(20)
        check("answers", (len(raws), len(set(raws))), (6, 1))
        check("one call", gateway_calls(site), 1)
        site.http("POST", "/_control", b'{"latencyMs":{"min":0,"max":0}}', port=site.control_port)
        node = site.call("order-2", "blocked")
        check("a precheck", (node["code"], node["sub_code"], node["edge_code"], site.by_edge),
              ("40004", "PRECHECK_DENIED", "PrecheckDenied", True))
        check("named", node["sub_msg"].startswith("blocked-subjects"), True)
        check("as often as it may", {site.call(f"order-h{n}", "hurried")["code"] for n in range(6)}, {"10000"})
        node = site.call("order-h6", "hurried")
        check("a rate", (node["code"], node["sub_code"], node["edge_code"]),
              ("40005", "isv.app-call-limited", "RateLimited"))
    finally:
        site.close()


RULES = """
[[precheck]]
name = "blocked-subjects"
kind = "subject"
deny = ["blocked"]
[[precheck]]
name = "hurry"
kind = "rate"
by = "subject"
rate.per_second = 0.001
rate.burst = 6
"""


def reloaded():
    """A changed key of an app is taken up while the node runs; until then and after it exactly one key counts."""
    site = gateway_site()
    try:
        check("before", site.call("order-1")["code"], "10000")
        check("other key", site.send(site.params("order-2"), key="edge.pem")["sub_code"], "isv.invalid-signature")
        site.write("app-public.pem", vectors("alipay_keys.json")["keys"]["other_public"])
        site.node.send_signal(signal.SIGHUP)
        for _ in range(200):
            node = site.send(site.params("order-3"), key="edge.pem")
            if site.by_alipay:
                break
            time.sleep(0.05)
        # The gateway still has the old key, so it is the one that refuses now: the call went on.
        check("passed on", (site.by_alipay, node["sub_code"]), (True, "isv.invalid-signature"))
        node = site.call("order-4")
        check("the old one", (site.by_edge, node["sub_code"]), (True, "isv.invalid-signature"))
        site.write("app-public.pem", "no key")
        site.node.send_signal(signal.SIGHUP)
        for _ in range(200):
            if "gateway.app[0].public_key_file" in site.log():
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the node did not say what is wrong:\n" + site.log())
        site.send(site.params("order-5"), key="edge.pem")
        check("a broken file changes nothing", site.by_alipay, True)
    finally:
        site.close()


class MerchantSite(Site):
    """Its gateway knows one merchant's app and not the node's own; that merchant's Alipay key is a wrong one here."""

    def centre_words(self):
        return [MERCHANT if word == APP_ID else word for word in super().centre_words()]

    def start_node(self):
        self.write("merchant-alipay.pem", vectors("alipay_keys.json")["keys"]["other_public"])
        super().start_node()

    def upstream(self, deadline, alipay):
        url = f"http://localhost:{self.centre_port}/gateway.do"
        return super().upstream(deadline, alipay).replace(
            "[upstream.alipay]", f"[[upstream.endpoint]]\nurl = \"{url}\"\n[upstream.alipay]")

    def tries(self):
        """The tries by their result."""
        seen = {}
        done = subprocess.run(["curl", "-s", "--unix-socket", self.path("admin.sock"), "http://admin/metrics"],
                              capture_output=True, check=True, text=True)
        for result, n in re.findall(r'^holdfast_upstream_calls_total{.*result="(\w+)".*} (\d+)', done.stdout, re.M):
            seen[result] = seen.get(result, 0) + int(n)
        return {result: n for result, n in seen.items() if n}


MERCHANT, STRANGER = "2021000000000088", "2021000000000099"
MERCHANTS = GATEWAY.replace(APP_ID, MERCHANT) + f"""
alipay_public_key_file = "merchant-alipay.pem"
[[gateway.app]]
app_id = "{STRANGER}"
credential = "app"
public_key_file = "app-public.pem"
"""


def blamed():
    """A merchant's wrong keys and app are told to it and logged, and neither eject an endpoint nor alarm for the node."""
    site = MerchantSite(BIN, alipay=MERCHANTS)
    try:
        for n in range(16):
            node = site.call(f"order-m{n}", f"user-m{n}", app_id=MERCHANT)
            check("its Alipay key is wrong", (node["code"], node["edge_code"], site.by_edge, "passed" in node),
                  ("20000", "UpstreamInvalidResponse", True, False))
            node = site.call(f"order-s{n}", f"user-s{n}", app_id=STRANGER)
            check("its app is none", (node["code"], node["sub_code"], site.by_edge, "isv.invalid-app-id" in
                                      node["sub_msg"]), ("40002", "isv.invalid-parameter", True, True))
        check("tries", site.tries(), {"caller_signature": 16, "caller_setup": 16})
        check("endpoints", {one["state"] for one in site.ctl("upstream", "list")["endpoints"]}, {"healthy"})
        check("no alarm", (site.log().count(" setup: "), site.log().count("bad_signature: ")), (0, 0))
        check("said", "the centre and credential app do not accept each other" in site.log(), True)
        status, answer = site.verify("order-1")
        check("the node's own app", (status, answer["code"]), (502, "UpstreamInvalidResponse"))
        check("an alarm", site.log().count(" setup: the gateway answered 40002 isv.invalid-app-id"), 1)
        site.write("merchant-alipay.pem", vectors("alipay_keys.json")["keys"]["alipay_public"])
        site.ctl("config", "reload")
        check("put right", site.call("order-x", app_id=MERCHANT)["passed"], "T")
    finally:
        site.close()


def examined():
    """doctor names the keys of the gateway, app by app, and the app's own key in the place of Alipay's."""
    site = MerchantSite(BIN, alipay=MERCHANTS)
    try:
        def doctor():
            done = subprocess.run([str(site.bin / "holdfastctl"), "--json", "doctor", "--config",
                                   site.path("holdfast.toml")], capture_output=True, text=True)
            return {c["name"]: (c["result"], c["detail"]) for c in json.loads(done.stdout)["checks"]}
        seen = doctor()
        check("signing key", seen["gateway: signing key"][0], "ok")
        check("stranger", seen["gateway: app " + STRANGER][0], "ok")
        check("edge's key as Alipay's", seen["gateway: app " + MERCHANT][0], "failed")
        site.write("merchant-alipay.pem", vectors("alipay_keys.json")["keys"]["app_public"])
        result, detail = doctor()["gateway: app " + MERCHANT]
        check("mixed up", (result, "the app's own public key, not Alipay's" in detail), ("failed", True))
        site.write("merchant-alipay.pem", vectors("alipay_keys.json")["keys"]["alipay_public"])
        check("put right", doctor()["gateway: app " + MERCHANT][0], "ok")
    finally:
        site.close()


def turned_away():
    """Who comes over a cap is told to ask again as Alipay tells it, signed by the node."""
    site = gateway_site(tables="[limits]\nconnections = 1\n[drain]\ntimeout = \"5s\"\n")
    try:
        holding = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
        holding.putrequest("POST", "/gateway.do")
        holding.putheader("Content-Length", "5")
        holding.endheaders()
        time.sleep(0.2)
        node = site.call("order-1")
        check("shed", (node["code"], node["sub_code"], site.by_edge, site.name, site.headers["X-Edge-Code"]),
              ("20000", "isp.unknow-error", True, NODE, "Overloaded"))
        assert int(site.headers["Retry-After"]) > 0
        holding.close()
        time.sleep(0.2)
        check("room again", site.call("order-2")["passed"], "T")
    finally:
        site.close()


CHECKS = [live, undecided, refused, degraded, others, together, reloaded, blamed, examined, turned_away]


def main():
    global BIN
    BIN, names = sys.argv[1], sys.argv[2:]
    return run(CHECKS, names)


if __name__ == "__main__":
    sys.exit(main())
