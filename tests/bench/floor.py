"""The floor of signed forwarding (src/signer.c), and the proof that it does what it is measured for."""
import base64, http.client, http.server, json, os, subprocess, threading, urllib.parse

import host, inputs, load, peers


class _Gateway(http.server.BaseHTTPRequestHandler):
    """Gives the answers of its server in turn, and keeps what it was asked."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(urllib.parse.parse_qs(self.path.partition("?")[2] + "&" + body, strict_parsing=True))
        answer = self.server.answers.pop(0)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def _is_signed(fields):
    """Whether OpenSSL's own program takes the call's signature for one of the app's key over its other parameters."""
    fields = {name: values[0] for name, values in fields.items()}
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "sign")
    with open(host.work("floor.sign"), "wb") as out:
        out.write(base64.b64decode(fields["sign"]))
    return subprocess.run(["openssl", "dgst", "-sha256", "-verify", host.work("secrets", "app-rsa.pub"), "-signature",
                           host.work("floor.sign")], input=text.encode(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def _forged(good):
    """Answers that nobody may believe, by what is wrong with each."""
    sign = json.loads(good)["sign"].encode()
    wrong = bytearray(base64.b64decode(sign))
    wrong[-1] ^= 1
    return {"a signature of another text": good.replace(b'"score":"0.98"', b'"score":"0.99"'),
            "a changed signature": good.replace(sign, base64.b64encode(wrong)),
            "a short signature": good.replace(sign, sign[:-4]),
            "no signature": good.partition(b',"sign"')[0] + b"}"}


def _gateway():
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", host.UPSTREAM), _Gateway)
    except OSError as why:
        raise host.Broken(f"no gateway for the proof on port {host.UPSTREAM}: {why}") from why


def prove(good):
    """A floor that signs something else than each order, or believes a forged answer, is not measured.

    It listens already; `good` is the gateway's answer."""
    forged = _forged(good)
    names = ["good", *forged, "good again"]
    with _gateway() as gateway:
        gateway.daemon_threads, gateway.asked, gateway.answers = True, [], [good, *forged.values(), good]
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        bodies = [inputs.one_body(inputs.order(os.urandom(4).hex(), i), i) for i in range(len(names))]
        try:
            got = [load.ask(False, {"Content-Type": "application/json"}, body) for body in bodies]
        except (OSError, http.client.HTTPException) as why:
            raise host.Broken(f"the floor did not answer: {why!r}; see work/stderr.log") from why
        finally:
            gateway.shutdown()
    host.wait_port(host.UPSTREAM, up=False)
    wrong = [f"{name}: {status} {text[:160]}" for name, (status, text) in zip(names, got)
             if (status, '"outcome":"pass"' in text) != ((200, True) if name.startswith("good") else (502, False))]
    for body, fields in zip(bodies, gateway.asked):
        sent, meant = json.loads(fields["biz_content"][0]), json.loads(body)
        if (sent["outer_order_no"], sent["face_image"]) != (meant["orderNo"], meant["evidence"]["image"]):
            wrong.append(f"order {meant['orderNo']} went on as {sent['outer_order_no']}")
        if not _is_signed(fields):
            wrong.append(f"the call for order {meant['orderNo']} is not signed by the app's key")
    if wrong:
        raise host.Broken(f"the floor does not do what it is measured for: {'; '.join(wrong)}")
