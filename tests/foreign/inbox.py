"""An inbox client that shares no code with Placet: nats-py, and Ed25519 by PyNaCl.

    inbox.py URL SEED_FILE USER VERDICT [REASON]
    inbox.py URL SEED_FILE USER again < what the first call printed

Discovers the service, lists what waits for USER, reads the first card, signs the document that stands
on it with another verdict and a nonce of its own, decides, and asks again under the same request id.
Prints one JSON object. `again` hands the same decision in once more, under the same request id.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
import uuid

import nacl.signing
import nats


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def keys_of(seed: str):
    raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    signing = nacl.signing.SigningKey(raw[2:34])
    body = bytes([20 << 3]) + bytes(signing.verify_key)
    crc = 0
    for byte in body:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return signing, base64.b32encode(body + crc.to_bytes(2, "little")).rstrip(b"=").decode()


def envelope(signing, document, verdict, reason):
    document = dict(document, verdict=verdict, nonce=b64(os.urandom(16)), reason="")
    extra = {}
    if reason:
        salt = os.urandom(32)
        digest = hashlib.sha256(b"placet-pt-v1" + salt + reason.encode()).hexdigest()
        document["reason"] = "sha256:" + digest
        extra = {"reason": reason, "reason_salt": b64(salt)}
    # all values are strings, so this is the form of RFC 8785
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    message = b"placet-decision-v1\n" + canonical.encode()
    return dict(document=document, signature=b64(signing.sign(message).signature), **extra)


async def main(url, seed_file, user, verdict, reason=None):
    with open(seed_file, encoding="ascii") as file:
        seed = file.read().strip()
    signing, key = keys_of(seed)
    client = await nats.connect(url, nkeys_seed_str=seed, inbox_prefix=f"_INBOX_{key}".encode())
    notices = await client.subscribe(f"placet.v1.inbox.{user}.event")

    async def ask(verb, body, request_id=None):
        headers = {"Placet-Request-Id": request_id} if request_id else None
        data = json.dumps(body).encode()
        subject = f"placet.v1.inbox.{user}.{verb}"
        answer = await client.request(subject, data, timeout=20, headers=headers)
        return json.loads(answer.data), dict(answer.headers or {})

    if verdict == "again":
        first = json.load(sys.stdin)
        answer, _ = await ask("decide", first["envelope"], first["request_id"])
        await client.close()
        print(json.dumps(answer))
        return

    items, _ = await ask("list", {})
    card, _ = await ask("get", {"decision": items["items"][0]["id"]})
    assert card["sign"]["keys"] == [key], card["sign"]
    stale = envelope(signing, card["sign"]["document"], verdict, reason)
    stale["document"]["user"] = "somebody-else"
    refused, refused_headers = await ask("decide", stale)
    decision = envelope(signing, card["sign"]["document"], verdict, reason)
    request_id = str(uuid.uuid4())
    answer, _ = await ask("decide", decision, request_id)
    again, _ = await ask("decide", decision, request_id)
    notice = json.loads((await notices.next_msg(timeout=20)).data)
    await client.close()
    print(json.dumps({
        "request": card["request"],
        "refused": refused,
        "refused_code": refused_headers.get("Nats-Service-Error-Code"),
        "answer": answer,
        "again": again,
        "notice": notice,
        "envelope": decision,
        "request_id": request_id,
    }))


asyncio.run(main(*sys.argv[1:]))
