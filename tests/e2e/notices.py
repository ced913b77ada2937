#!/usr/bin/env python3
"""Results that a centre sends by itself, to a real node from a real centre: Alipay's, and those of kind `central`.

Usage: notices.py BIN_DIR [NAME...]: runs every check, or those named.
"""
import json, sys, threading, time

from alipay import Site, check, main, taken

CENTRE_SECRET = b"the centre signs its notifications"


class CentralSite(Site):
    """The same site with a centre of kind `central` that signs its notifications."""

    def centre_words(self):
        self.write("centre-secret", CENTRE_SECRET)
        return ["--notify-secret", self.path("centre-secret"), "--plan", '{"failPercent":0,"reviewPercent":0}']

    def upstream(self, deadline, alipay):
        return f"""
[upstream]
deadline = "{deadline}"
notify_secret_file = "centre-secret"
[[upstream.endpoint]]
url = "http://127.0.0.1:{self.centre_port}"
"""


def eventually(what, met):
    """Awaits it; what it gave."""
    for _ in range(500):
        got = met()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def notify(site, kind="alipay", **order):
    """Has the centre send a notification to the node; what the node answered."""
    order.setdefault("url", f"http://127.0.0.1:{site.port}/v1/notifications/{kind}")
    before = len(site.delivered())
    if kind == "central":
        order = {"kind": kind, "credential": "app", **order}
    status, answer = site.http("POST", "/_notify", json.dumps(order).encode(), port=site.control_port)
    assert status == 200, answer
    seen = eventually("delivered", lambda: site.delivered()[before:])
    return seen[-1]["status"], seen[-1]["answer"]


def kill_and_start(site):
    site.node.kill()
    site.node.wait()
    site.start_node()


def notified(bin_dir):
    """A pending order gets its outcome by notification, once, also after a kill; a reversal beats the earlier pass."""
    site = Site(bin_dir)
    try:
        site.plan(pending=True)
        check("taken", site.verify("order-1")[0], 202)
        check("delivered", notify(site, orderNo="order-1", notifyId="n-1", passed="T"), (200, "success"))
        check("decided", site.look_up("order-1")[1]["outcome"], "pass")
        check("asked again", site.verify("order-1")[1]["outcome"], "pass")
        check("redelivered", notify(site, orderNo="order-1", notifyId="n-1", passed="T"), (200, "success"))
        for forge in ("wrong_key", "sha1", "unsigned", "tampered"):
            check(forge, notify(site, orderNo="order-1", notifyId="n-x", passed="F", forge=forge), (200, "fail"))
        check("another app's", notify(site, orderNo="order-1", notifyId="n-y", passed="F", appId="1"), (200, "fail"))
        check("undecided", notify(site, orderNo="order-1", notifyId="n-z", passed="not yet"), (200, "success"))
        check("still", site.look_up("order-1")[1]["outcome"], "pass")
        check("V2", notify(site, orderNo="order-1", notifyId="n-2", passed="F", withSignType=True), (200, "success"))
        check("reversed", site.look_up("order-1")[1]["outcome"], "fail")
        kill_and_start(site)
        check("after a kill", site.look_up("order-1")[1]["outcome"], "fail")
        check("old one again", notify(site, orderNo="order-1", notifyId="n-1", passed="T"), (200, "success"))
        check("reversed for good", site.look_up("order-1")[1]["outcome"], "fail")
        before_orders(site)
    finally:
        site.close()


def before_orders(site):
    """One for an order that nobody has asked yet is kept; the centre's own number says whose it is."""
    check("unknown order", notify(site, orderNo="order-9", notifyId="n-9", passed="T"), (200, "success"))
    check("again", notify(site, orderNo="order-9", notifyId="n-9", passed="T"), (200, "success"))
    check("another number", notify(site, orderNo="order-10", notifyId="n-10", passed="T", fields={"certify_id": "C-1"}),
          (200, "success"))
    check("undecided", notify(site, orderNo="order-11", notifyId="n-11", passed="not yet"), (200, "success"))
    check("nothing made of it", site.look_up("order-9")[0], 404)
    kill_and_start(site)
    site.plan(pending=True)
    status, answer = site.verify("order-9")
    check("counts now", (status, answer.get("outcome"), answer.get("source")), (200, "pass", "live"))
    check("looked up", site.look_up("order-9")[1]["outcome"], "pass")
    check("sent again", notify(site, orderNo="order-9", notifyId="n-9", passed="T"), (200, "success"))
    check("of another verification", site.verify("order-10")[0], 202)
    check("still pending", site.verify("order-11")[0], 202)


def two_callers(bin_dir):
    """Of a word from before its order a pass needs the centre's own number, a fail stands for whoever asks it."""
    other = '[[credential]]\nid = "other"\nsecret_file = "secret"\nscenes = ["LOGIN"]'
    site = Site(bin_dir, tables=other)
    try:
        check("no number", notify(site, orderNo="order-1", passed="F", fields={"certify_id": ""}), (200, "success"))
        check("whoever it is", site.verify("order-1")[1]["outcome"], "fail")
        check("a number", notify(site, orderNo="order-2", passed="F"), (200, "success"))
        check("it is this one's", site.verify("order-2")[1]["outcome"], "fail")
        check("a pass", notify(site, orderNo="order-3", passed="T", fields={"certify_id": ""}), (200, "success"))
        site.plan(pending=True)
        check("anybody's", site.verify("order-3")[0], 202)
        site.centre_plan(mode="hang")
        check("no answer", site.verify("order-4")[0], 504)
        check("the other's?", notify(site, orderNo="order-4", passed="T", fields={"certify_id": "C-other"}),
              (200, "success"))
        assert site.look_up("order-4")[1].get("outcome") is None, "a pass of nobody knows whom"
        site.centre_plan(mode="healthy")
        both = (("app", "user-1"), ("other", "user-2"))
        check("both taken", [site.verify("order-5", user, who)[0] for who, user in both], [202, 202])
        check("of one number", notify(site, orderNo="order-5", passed="T"), (200, "success"))
        check("is nobody's", [site.look_up("order-5", who)[0] for who, _ in both], [202, 202])
        check("reversed", notify(site, orderNo="order-5", passed="F"), (200, "success"))
        check("for both", [site.look_up("order-5", who)[1]["outcome"] for who, _ in both], ["fail", "fail"])
    finally:
        site.close()


def numbered(bin_dir):
    """One that names the verification alone reaches the order, and what is remembered of its subject."""
    site = Site(bin_dir)
    no_order = {"outer_order_no": ""}
    try:
        for n in (1, 2):
            check("passed", site.verify(f"order-{n}", f"user-{n}")[1]["outcome"], "pass")
            check("reversed", notify(site, orderNo=f"order-{n}", passed="F", fields=no_order), (200, "success"))
        check("looked up", site.look_up("order-1")[1]["outcome"], "fail")
        check("asked again", site.verify("order-1", "user-1")[1]["outcome"], "fail")
        for n in (6, 7):  # twice the same of one person: the memory must know the second one's number
            check("passed", site.verify(f"order-{n}", "user-6")[1]["outcome"], "pass")
        check("reversed", notify(site, orderNo="order-7", passed="F", fields=no_order), (200, "success"))
        site.plan(pending=True)
        check("taken", site.verify("order-3", "user-3")[0], 202)
        check("told", notify(site, orderNo="order-3", passed="T", fields=no_order), (200, "success"))
        check("decided", site.look_up("order-3")[1]["outcome"], "pass")
        check("still pending", site.verify("order-4", "user-4")[0], 202)
        check("told", notify(site, orderNo="order-4", passed="F", fields=no_order), (200, "success"))
        site.centre_plan(mode="error")
        eventually("the circuit opens", lambda: any(
            site.verify(f"order-d{time.monotonic_ns()}", f"user-{n}")[0] == 503 for n in range(10, 50)))
        check("not asked", site.verify("order-4", "user-4")[1]["outcome"], "fail")
        check("from memory", site.verify("order-5", "user-3")[1]["outcome"], "pass")
        for user in ("user-1", "user-2", "user-6"):
            assert site.verify(f"order-of-{user}", user)[1].get("outcome") != "pass", user
    finally:
        site.close()


def numbered_late(bin_dir):
    """One that names the verification alone undoes nothing that is newer: a later word, a live answer, a revocation."""
    site = Site(bin_dir)

    def alone(order, fields={}, **more):
        return notify(site, orderNo=order, fields={"outer_order_no": "", **fields}, **more)

    try:
        site.plan(pending=True)
        check("taken", site.verify("order-1", "user-1")[0], 202)
        first = dict(notifyId="n-1", passed="T", fields={"notify_time": ""})
        check("told", alone("order-1", **first), (200, "success"))
        check("decided", site.look_up("order-1")[1]["outcome"], "pass")
        check("reversed", notify(site, orderNo="order-1", notifyId="n-2", passed="F"), (200, "success"))
        check("the first again", alone("order-1", **first), (200, "success"))
        check("heard once", site.look_up("order-1")[1]["outcome"], "fail")
        check("taken", site.verify("order-2", "user-2")[0], 202)
        site.ctl("cache", "revoke", "--subject", "user-2")
        check("after it", alone("order-2", passed="T"), (200, "success"))
        assert site.look_up("order-2")[1].get("outcome") is None, "a revoked verification lets somebody in"
        site.plan(pending=False)
        site.centre_plan(failPercent=100)
        check("refused", site.verify("order-3", "user-3")[1]["outcome"], "fail")
        earlier = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600 - 60))
        check("of before", alone("order-3", passed="T", fields={"notify_time": earlier}), (200, "success"))
        check("stands", site.look_up("order-3")[1]["outcome"], "fail")
    finally:
        site.close()


def looked_up(bin_dir):
    """An order's pass from memory is not looked up either, once the centre has said otherwise of its subject."""
    site = Site(bin_dir)
    try:
        check("passed", site.verify("order-1")[1]["outcome"], "pass")
        site.ctl("degrade", "on", "--for", "1h", "--reason", "test")
        check("from memory", site.verify("order-2")[1]["source"], "cache")
        check("looked up", site.look_up("order-2")[1]["outcome"], "pass")
        site.ctl("degrade", "auto", "--reason", "test")
        site.centre_plan(failPercent=100)
        check("refused", site.verify("order-3")[1]["outcome"], "fail")
        check("not any more", site.look_up("order-2")[0], 404)
    finally:
        site.close()


def begun(bin_dir):
    """Of the APIs whose call only begins a verification the call is 202, and the notification has the outcome."""
    face = "datadigital.fincloud.generalsaas.face."
    who = {"attributes": {"certName": "A", "certNo": "1", "returnUrl": "https://shop.example/back"}}
    for method, states in [("alipay.user.certify.open.initialize", {}), (face + "certify.initialize", {}),
                           (face + "verification.initialize", {"T": "SUCCESS", "F": "FAIL"})]:
        site = Site(bin_dir, alipay=f'method = "{method}"')
        try:
            for order, passed, outcome in [("order-1", "T", "pass"), ("order-2", "F", "fail")]:
                fields = {"certify_state": states[passed]} if states else {}
                taken("begun", site.verify(order, **who))
                check("not yet", notify(site, orderNo=order, passed="", fields={"certify_state": "PROCESSING"}),
                      (200, "success"))
                check("still", site.look_up(order)[0], 202)
                check("told", notify(site, orderNo=order, passed=passed, fields=fields), (200, "success"))
                check(method, site.look_up(order)[1]["outcome"], outcome)
        finally:
            site.close()


def reversal(bin_dir):
    """After a reversal no degraded answer is the earlier pass."""
    site = Site(bin_dir)
    try:
        check("passed", site.verify("order-1")[1]["outcome"], "pass")
        check("reversed", notify(site, orderNo="order-1", passed="F"), (200, "success"))
        site.centre.kill()
        site.centre.wait()
        for n in range(12):
            status, answer = site.verify(f"order-d{n}", f"user-d{n}")
        status, answer = site.verify("order-2")
        assert answer.get("outcome") != "pass", answer
    finally:
        site.close()


def numbers_kept(bin_dir):
    """The number of a pending order is known also beside a degraded answer, and when it came too late for its caller."""
    by_number = {"outer_order_no": ""}
    site = Site(bin_dir, deadline="1s")
    try:
        for user in ("user-1", "user-2"):
            check("passed", site.verify(f"order-{user}", user)[1]["outcome"], "pass")
        site.plan(pending=True)
        check("taken", site.verify("order-1")[0], 202)
        site.centre_plan(latencyMs={"min": 1600, "max": 1600})
        check("taken too late", site.verify("order-2", "user-2")[0], 504)
        eventually("it is known", lambda: site.look_up("order-2")[0] == 202)
        site.ctl("degrade", "on", "--for", "5m", "--reason", "test")
        check("from memory", site.verify("order-1")[1].get("source"), "cache")
        for order, user in (("order-1", "user-1"), ("order-2", "user-2")):
            check("told", notify(site, orderNo=order, passed="F", fields=by_number), (200, "success"))
            check("looked up", site.look_up(order)[1]["outcome"], "fail")
            assert site.verify(f"{order}-more", user)[1].get("outcome") != "pass", user
    finally:
        site.close()


def meanwhile(bin_dir):
    """A notification that comes while the call is under way: a later pass does not undo its fail, a later "pending" not
    its pass."""
    site = Site(bin_dir, deadline="20s", alipay='[upstream.retry]\nattempts = 0')
    try:
        for order, pending, passed, outcome in [("order-1", False, "F", "fail"), ("order-2", True, "T", "pass")]:
            site.plan(pending=pending)
            site.centre_plan(latencyMs={"min": 2000, "max": 2000})
            before, got = site.centre_stats()["requests"], []
            asking = threading.Thread(target=lambda: got.append(site.verify(order, order)))
            asking.start()
            eventually("asked", lambda: site.centre_stats()["requests"] > before)
            check("confirmed", notify(site, orderNo=order, passed=passed), (200, "success"))
            asking.join()
            check(order, (got[0][0], got[0][1].get("outcome")), (200, outcome))
            check("looked up", site.look_up(order)[1]["outcome"], outcome)
    finally:
        site.close()


def degraded(bin_dir):
    """A notification takes the place of a degraded answer, for its order and for what is remembered, over a kill."""
    site = Site(bin_dir)
    try:
        check("passed", site.verify("order-1")[1]["outcome"], "pass")
        site.centre_plan(mode="error")
        eventually("the circuit opens", lambda: any(
            site.verify(f"order-d{time.monotonic_ns()}", f"user-{n}")[0] == 503 for n in range(40)))
        status, answer = site.verify("order-2")
        check("from memory", (answer.get("outcome"), answer.get("source")), ("pass", "cache"))
        time.sleep(0.5)  # an answer is on disk within 100 ms; a notification before it is confirmed
        check("reversed", notify(site, orderNo="order-2", notifyId="n-1", passed="F"), (200, "success"))
        for again in (False, True):
            check("looked up", site.look_up("order-2")[1]["outcome"], "fail")
            check("asked", site.verify("order-2")[1]["outcome"], "fail")
            assert site.verify(f"order-3-{again}")[1].get("outcome") != "pass"
            if not again:
                kill_and_start(site)
        check("once more", notify(site, orderNo="order-2", notifyId="n-1", passed="F"), (200, "success"))
    finally:
        site.close()


def central(bin_dir):
    """Of kind `central`: the well-signed one counts, once; forged, stale and malformed ones do not."""
    site = CentralSite(bin_dir)
    try:
        check("passed", site.verify("order-1")[1]["outcome"], "pass")
        send = lambda **more: notify(site, "central", **{"orderNo": "order-1", **more})
        check("forged", send(notifyId="n-1", outcome="fail", forge="wrong_key"), (200, "fail"))
        check("tampered", send(notifyId="n-1", outcome="fail", forge="tampered"), (200, "fail"))
        status, answer = send(notifyId="n-1", outcome="fail", forge="unsigned")
        check("unsigned", (status, json.loads(answer)["code"]), (401, "MissingCredential"))
        for shift in (-400, 400):
            status, answer = send(notifyId="n-1", outcome="fail", shiftSeconds=shift)
            check("stale", (status, json.loads(answer)["code"]), (401, "RequestExpired"))
        check("no outcome", send(notifyId="n-1", outcome="perhaps"), (200, "fail"))
        check("no order number", send(notifyId="n-1", outcome="fail", orderNo=""), (200, "fail"))
        check("still", site.look_up("order-1")[1]["outcome"], "pass")
        check("unknown order", send(notifyId="n-2", outcome="pass", orderNo="order-9"), (200, "success"))
        check("nothing made of it", site.look_up("order-9")[0], 404)
        check("unknown caller", send(notifyId="n-3", outcome="fail", credential="other"), (200, "success"))
        check("untouched", site.look_up("order-1")[1]["outcome"], "pass")
        check("good", send(notifyId="n-4", outcome="pass"), (200, "success"))
        check("reversal", send(notifyId="n-5", outcome="fail"), (200, "success"))
        check("reversed", site.look_up("order-1")[1]["outcome"], "fail")
        kill_and_start(site)
        check("duplicate", send(notifyId="n-4", outcome="pass"), (200, "success"))
        check("reversed for good", site.look_up("order-1")[1]["outcome"], "fail")
        check("another kind", site.http("POST", "/v1/notifications/alipay", b"a=b")[0], 404)
    finally:
        site.close()


if __name__ == "__main__":
    sys.exit(main([notified, two_callers, numbered, numbered_late, numbers_kept, looked_up, begun, reversal, meanwhile, degraded,
                   central]))
