"""How a secret may look on its way into a text."""
import base64
import hashlib
import json
import urllib.parse


def forms(secret):
    """Plain, in URLs, in JSON, in base64 at any offset, in hex, its SHA-256, and the bytes that a webhook secret is."""
    texts = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret),
             json.dumps(secret)[1:-1], secret.encode().hex(), hashlib.sha256(secret.encode()).hexdigest()}
    raw = [secret.encode()]
    if secret.startswith("whsec_"):
        texts.add(secret[6:])
        raw.append(base64.b64decode(secret[6:]))
        texts.add(raw[1].decode())
    for data in raw:
        for offset in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                # Without the characters at both ends that other bytes have a part in.
                text = encode(b"\0" * offset + data).decode().rstrip("=")
                texts.add(text[-(-offset * 8 // 6):-1])
    return {text for text in texts if len(text) >= 8} | ({secret} if len(secret) >= 4 else set())
