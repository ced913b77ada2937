"""A caller of the node, written against its documentation and nothing else: it signs a verification and asks it."""

import hashlib
import hmac
import json
import secrets
import time


def signed_headers(secret_id, secret, host, path, body):
    timestamp = str(int(time.time()))
    nonce = secrets.token_hex(16)
    digest = hashlib.sha256(body).hexdigest()
    text = f"POST{host.lower()}{path}\n\n{timestamp}\n{nonce}\n{digest}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"Authorization": f"HMAC-SHA256 SecretId={secret_id}, Signature={signature}", "X-Timestamp": timestamp,
            "X-Nonce": nonce, "X-Content-SHA256": digest, "Content-Type": "application/json", "Host": host}


class Answer:
    def __init__(self, status, body, headers):
        self.status = status
        self.body = body
        self.headers = headers

    def __str__(self):
        shown = ("code", "outcome", "source", "degraded", "ageSeconds")
        return f"{self.status} " + json.dumps({k: self.body[k] for k in shown if k in self.body})


def ask(site, secret_id, scene, subject, country="JP"):
    """One verification of a subject, with an order of its own; an Answer."""
    order = "ask-" + secrets.token_hex(8)
    body = json.dumps({"orderNo": order, "scene": scene, "subject": subject, "device": "phone-" + subject,
                       "attributes": {"country": country}}).encode()
    connection = site.connect_to_node(5)
    host = f"127.0.0.1:{site.node_port}"
    headers = signed_headers(secret_id, site.secret, host, "/v1/verifications", body)
    connection.request("POST", "/v1/verifications", body, headers)
    got = connection.getresponse()
    return Answer(got.status, json.loads(got.read()), dict(got.getheaders()))
