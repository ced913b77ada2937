#!/usr/bin/env python3
"""Signs a request to Holdfast and sends it, with Python's standard library.

  sign.py METHOD URL SECRET_ID SECRET_FILE [BODY_FILE]     prints the status, then the body of the answer

CA_FILE names a CA to trust. With DRY_RUN=TIMESTAMP:NONCE nothing is sent and the signature is printed.
"""
import hashlib
import hmac
import http.client
import os
import secrets
import ssl
import sys
import time
from urllib.parse import quote, unquote_to_bytes, urlsplit


def canonical_query(raw):
    pairs = []
    for piece in raw.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append(tuple(quote(unquote_to_bytes(text), safe="-._~") for text in (name, value)))
    return "&".join("=".join(pair) for pair in sorted(pairs))


def sign(secret, method, host, path, query, timestamp, nonce, body):
    """The signature and the hash of the body, both in hex."""
    content_sha256 = hashlib.sha256(body).hexdigest()
    string_to_sign = "\n".join([method + host.lower() + path, canonical_query(query), timestamp, nonce, content_sha256])
    return hmac.new(secret, string_to_sign.encode(), hashlib.sha256).hexdigest(), content_sha256


def main():
    method, url, secret_id, secret_file, *body_file = sys.argv[1:]
    secret = open(secret_file, "rb").read()
    if secret.endswith(b"\n"):  # one final newline of the file is not part of the secret
        secret = secret[:-1]
    if not secret:
        sys.exit(f"sign.py: {secret_file} holds no secret")
    body = open(body_file[0], "rb").read() if body_file else b""
    at = urlsplit(url)
    timestamp, nonce = os.environ.get("DRY_RUN", f"{int(time.time())}:{secrets.token_hex(16)}").split(":")
    signature, content_sha256 = sign(secret, method, at.netloc, at.path or "/", at.query, timestamp, nonce, body)
    if "DRY_RUN" in os.environ:
        print(signature)
        return
    headers = {
        "Host": at.netloc,
        "Authorization": f"HMAC-SHA256 SecretId={secret_id}, Signature={signature}",
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Content-SHA256": content_sha256,
    }
    if body:
        headers["Content-Type"] = "application/json"
    tls = ssl.create_default_context(cafile=os.environ.get("CA_FILE"))
    connection = http.client.HTTPSConnection(at.netloc, timeout=10, context=tls)
    connection.request(method, (at.path or "/") + ("?" + at.query if at.query else ""), body or None, headers)
    answer = connection.getresponse()
    print(answer.status)
    print(answer.read().decode())


if __name__ == "__main__":
    main()
