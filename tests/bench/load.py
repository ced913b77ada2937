"""Loads: what is sent to a peer, and the proof that it does the work it is measured for."""
import http.client, json, os, ssl, subprocess, time

import host, inputs, peers

RATE_MAX = 90000                                 # more requests a second than one load core makes
SIGNED_RATE_MAX = 10000                          # more than one core signs


def wrk(url, script, seconds, connections=64, env=None):
    """One wrk run on the load core: its JSON line."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", f"wrk/{script}", url]
    proc = host.start(command, host.LOAD_CORE, env, stdout=subprocess.PIPE)
    out = proc.communicate()[0].decode()
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise host.Broken(f"wrk gave no result: {out[-300:]}; see work/stderr.log")
    got = json.loads(lines[-1])
    if got["bad_status"] or got["socket_errors"]:
        raise host.Broken(f"{got['bad_status']} bad answers, {got['socket_errors']} socket errors, {got['requests']} requests")
    if not got["requests"]:
        raise host.Broken("no request was answered")
    return got


def scheme(peer):
    return "lua" if peer == "nginx-lua" else "node"


def verify(tls, seconds, connections=64):
    """Signed verifications from work/load/requests.txt."""
    base = f"https://127.0.0.1:{host.HTTPS}" if tls else f"http://127.0.0.1:{host.HTTP}"
    return wrk(base + inputs.PATH, "verify.lua", seconds, connections)


def keyed(seconds):
    return wrk(f"http://127.0.0.1:{host.HTTP}/stale/open", "keyed.lua", seconds, env={"KEYS": str(inputs.SUBJECTS)})


def ask(tls, headers, body):
    """One request by another client than wrk: (status, body)."""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        link = http.client.HTTPSConnection("127.0.0.1", host.HTTPS, timeout=30, context=context)
    else:
        link = http.client.HTTPConnection("127.0.0.1", host.HTTP, timeout=30)
    try:
        link.request("POST", inputs.PATH, body, headers)
        answer = link.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        link.close()


def prove_checks(peer, tls):
    """A peer that lets a replay, a forgery, an old timestamp or a changed body through is not measured."""
    how, now = scheme(peer), int(time.time())
    bodies = [inputs.one_body(inputs.order(os.urandom(4).hex(), i), i) for i in range(4)]
    nonces = [os.urandom(16).hex() for _ in bodies]
    stamps = (now, now, now - 400, now)
    sign = [inputs.headers(how, stamp, nonce, body) for stamp, nonce, body in zip(stamps, nonces, bodies)]
    forged = {key: value.replace(value[-64:], "0" * 64) if key in ("Authorization", "X-Signature") else value
              for key, value in sign[1].items()}
    got = {"good": ask(tls, sign[0], bodies[0]), "replayed": ask(tls, sign[0], bodies[0]),
           "forged": ask(tls, forged, bodies[1]), "stale": ask(tls, sign[2], bodies[2]),
           "changed body": ask(tls, sign[3], bodies[3].replace(b"LOGIN", b"OTHER"))}
    wrong = [f"{name}: {status} {text[:160]}" for name, (status, text) in got.items()
             if (status != 200 if name == "good" else status not in (401, 409))]
    if wrong:
        raise host.Broken(f"{peer} does not check what it is measured for: {'; '.join(wrong)}")


def answered(before, source, requests):
    """That the node gave this many answers from this source since the metrics in before, and no other kind."""
    after = peers.metrics()
    name = "holdfast_requests_total"
    rose = peers.total(after, name, f'source="{source}"') - peers.total(before, name, f'source="{source}"')
    if rose < requests:
        raise host.Broken(f"{requests} requests answered, but only {rose:.0f} with source {source}")
    return after
