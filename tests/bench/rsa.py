"""RSA2-signed forwarding beside `openssl speed rsa2048`: what of a core's signatures the node turns into answers.

Node and peer run on the proxy's core, seconds apart, and each figure is signatures per second of CPU: all that the node's
threads took (loop, signing and verifying jobs, commits) against the one thread of openssl, which counts its own CPU time
too. With the core saturated, as is checked, that is the same as signatures a second of the cores it uses, and what others
take of a shared core spoils neither. Every answer is a live one whose signature the node has verified: the stub gives one
answer that was signed beforehand, so that it costs the load's core nothing.

Between the two stands the floor (src/signer.c): a forwarder that does nothing else, under the same load. What it does
not reach no forwarder on OpenSSL, sockets and epoll can; what the node gives up below it is the node's own.

A processor with AVX-512 IFMA makes a signature in half the time or less, and what a call costs besides it weighs twice as
much. There both are also measured with those instructions hidden from OpenSSL, as "rsa-slow".
"""
import base64, os, re, subprocess, time

import cases, floor, host, inputs, load, peers

NODE_TEXT = b'{"code":"10000","msg":"Success","passed":"T","score":"0.98","certify_id":"c-1"}'
SATURATED = 0.85                                  # of the core that others left


def prepare():
    """Two keys, and the gateway's one answer."""
    secrets = host.work("secrets")
    for name in ("app-rsa", "alipay-rsa"):
        path = os.path.join(secrets, name)
        if not os.path.exists(path + ".pub"):
            with open(path, "wb", opener=lambda p, f: os.open(p, f, 0o600)) as out:
                subprocess.run(["openssl", "genrsa", "2048"], check=True, stdout=out, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-out", path + ".pub"], check=True,
                           stderr=subprocess.DEVNULL)
    sign = subprocess.run(["openssl", "dgst", "-sha256", "-sign", os.path.join(secrets, "alipay-rsa")], input=NODE_TEXT,
                          check=True, stdout=subprocess.PIPE).stdout
    with open(host.work("gateway.json"), "wb") as out:
        out.write(b'{"alipay_user_faceverify_verify_response":' + NODE_TEXT + b',"sign":"' + base64.b64encode(sign) + b'"}')


def has_ifma():
    with open("/proc/cpuinfo") as f:
        return "avx512ifma" in f.read()


def openssl(seconds, slow):
    """Signatures per second of CPU of one openssl on the proxy's core."""
    proc = host.start(["openssl", "speed", "-seconds", str(seconds), "rsa2048"], host.PROXY_CORE,
                      peers.NO_IFMA if slow else {}, stdout=subprocess.PIPE)
    found = re.search(r"rsa 2048 bits +[\d.]+s +[\d.]+s +([\d.]+) +[\d.]+", proc.communicate()[0].decode())
    if not found:
        raise host.Broken("openssl speed gave no figure for rsa 2048; see work/stderr.log")
    return {"signs": float(found[1])}


def lag_p99_ms(before, after):
    """The least bound of the lag's histogram that holds 99 % of the turns between two scrapes."""
    name = "holdfast_loop_lag_seconds"
    rise = {k: v - before.get(k, 0) for k, v in after.items() if k.startswith(name)}
    count = peers.total(rise, name + "_count")
    buckets = sorted((float(k.split('le="')[1].split('"')[0]), v) for k, v in rise.items() if k.startswith(name + "_bucket"))
    if not count or not buckets:
        raise host.Broken(f"{name} timed nothing")
    return next(le for le, v in buckets if v >= 0.99 * count) * 1e3


def warm(seconds):
    """Connections and estimates; and the requests of the run that follows."""
    inputs.requests("node", load.SIGNED_RATE_MAX * (seconds + 2))
    load.verify(False, 1)
    inputs.requests("node", load.SIGNED_RATE_MAX * (seconds + 2))


def saturated(proc, seconds):
    """What a request costs a program that has the core to itself and more to do than it can."""
    busy, began = host.cores_busy(), time.time()
    figures = cases.measured(proc, lambda s: load.verify(False, s), seconds)
    wall, after_busy = time.time() - began, host.cores_busy()
    own = figures["cpu_us"] * figures["requests"] / 1e6
    others = max(0.0, after_busy[0] - busy[0] - own)
    figures.update(signs=1e6 / figures["cpu_us"], busy=own / max(wall - others, 1e-9))
    if figures["busy"] < SATURATED:
        raise host.Broken(f"the proxy's core was not saturated: {figures['busy']:.0%} of what others left")
    return figures


def bare(seconds, slow=False):
    """The same requests through the floor: every 200 is an answer whose signature it has verified."""
    prepare()
    stub, proc = None, None
    try:
        proc = peers.start("floor-slow" if slow else "floor", tls=False)
        with open(host.work("gateway.json"), "rb") as answer:
            floor.prove(answer.read())
        stub = peers.stub(answer=host.work("gateway.json"))
        warm(seconds)
        return saturated(proc, seconds)
    finally:
        peers.stop(proc)
        if stub:
            peers.stop_stub(stub)


def forwarding(seconds, slow=False):
    """Signed verifications, plain, each forwarded as an RSA2-signed call of its own."""
    prepare()
    stub, proc = peers.stub(answer=host.work("gateway.json")), None
    try:
        proc = peers.start("holdfast-alipay-slow" if slow else "holdfast-alipay", tls=False)
        load.prove_checks("holdfast", tls=False)
        warm(seconds)
        before = peers.metrics()
        figures = saturated(proc, seconds)
        after = load.answered(before, "live", figures["requests"])
        return {**figures, "lag_p99_ms": lag_p99_ms(before, after)}
    finally:
        peers.stop(proc)
        peers.stop_stub(stub)


def run(peer, seconds, slow=False):
    return {"openssl": openssl, "floor": bare, "holdfast": forwarding}[peer](seconds, slow)
