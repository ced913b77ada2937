"""The inputs: a certificate, secrets, and signed verification requests that differ in order, nonce and subject.

Two schemes sign the same bodies: "node" is the node's own (Authorization, X-Timestamp, X-Nonce, X-Content-SHA256),
"lua" the simpler one of conf/verify.lua. wrk/verify.lua puts the requests together from the lines written here.
"""
import base64, hashlib, hmac, os, subprocess, time

import host

SECRET = b"0123456789abcdef0123456789abcdef"
CREDENTIAL, HOST, PATH = "app-1", "edge.test", "/v1/verifications"
SUBJECTS = 2000
BODY_BYTES = 1024


def subject(number):
    return f"user-{number % SUBJECTS:06d}"


def body_parts():
    """What stands before the order, between order and subject, and after the subject; the whole is 1 KiB."""
    head, middle = '{"orderNo":"', '","scene":"LOGIN","subject":"'
    tail = '","attributes":{"country":"JP"},"evidence":{"image":"'
    room = BODY_BYTES - len(head + middle + tail) - len(order("00000000", 0)) - len(subject(0)) - len('"}}')
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + hashlib.sha512(b"seed").digest() * 12
    # A whole number of base64 quanta; blanks before the last braces make up the rest.
    image = base64.b64encode(jpeg[:room // 4 * 3]).decode()
    return head, middle, tail + image + '"' + " " * (room - len(image)) + "}}"


def order(stamp, number):
    return f"o-{stamp}-{number:09d}"


def canonical(scheme, timestamp, nonce, digest):
    if scheme == "lua":
        return f"POST\n{PATH}\n{timestamp}\n{nonce}\n{digest}"
    return f"POST{HOST}{PATH}\n\n{timestamp}\n{nonce}\n{digest}"


def headers(scheme, timestamp, nonce, body, digest=None):
    """The signed headers of one request, for the checks before a measure."""
    digest = digest or hashlib.sha256(body).hexdigest()
    mac = hmac.new(SECRET, canonical(scheme, timestamp, nonce, digest).encode(), hashlib.sha256).hexdigest()
    common = {"Host": HOST, "Content-Type": "application/json", "X-Timestamp": str(timestamp), "X-Nonce": nonce}
    if scheme == "lua":
        return {**common, "X-App-Id": CREDENTIAL, "X-Signature": mac}
    return {**common, "X-Content-SHA256": digest,
            "Authorization": f"HMAC-SHA256 SecretId={CREDENTIAL}, Signature={mac}"}


def requests(scheme, count):
    """work/load/requests.txt: the parts of the body, then "order nonce signature body-hash" lines, all for one timestamp.

    Made shortly before use, because the window is 300 s."""
    timestamp, stamp = int(time.time()), os.urandom(4).hex()
    head, middle, tail = body_parts()
    base = hmac.new(SECRET, digestmod="sha256")
    subjects = [f"{middle}{subject(i)}{tail}".encode() for i in range(SUBJECTS)]
    before, after = canonical(scheme, timestamp, "\0", "\1").split("\0")
    after = after[:-1]
    os.makedirs(host.work("load"), exist_ok=True)      # of its own: the node watches the folder of its configuration
    with open(host.work("load", "requests.txt"), "w") as out:
        out.write("\n".join((scheme, str(timestamp), head, middle, tail)) + "\n")
        for i in range(count):
            name, nonce = order(stamp, i), f"{stamp}{i:024x}"
            digest = hashlib.sha256(f"{head}{name}".encode() + subjects[i % SUBJECTS]).hexdigest()
            mac = base.copy()
            mac.update(f"{before}{nonce}{after}{digest}".encode())
            out.write(f"{name} {nonce} {mac.hexdigest()} {digest}\n")


def one_body(name, number=0):
    head, middle, tail = body_parts()
    return f"{head}{name}{middle}{subject(number)}{tail}".encode()


def prepare():
    """Certificate, key, secrets and the fixed body of the nginx cache case."""
    secrets = host.work("secrets")
    os.makedirs(secrets, mode=0o700, exist_ok=True)
    for name, data in (("app-1", SECRET), ("cache.key", hashlib.sha256(b"bench cache key").digest())):
        with open(os.path.join(secrets, name), "wb", opener=lambda p, f: os.open(p, f, 0o600)) as out:
            out.write(data)
    with open(host.work("body-1k.json"), "wb") as out:
        out.write(one_body(order("00000000", 0)))
    crt, key = host.work("cert.pem"), host.work("key.pem")
    if not (os.path.exists(crt) and os.path.exists(key)):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "3650", "-subj", "/CN=edge.test", "-newkey", "ec",
                        "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "subjectAltName=DNS:edge.test",
                        "-keyout", key, "-out", crt], check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o600)
