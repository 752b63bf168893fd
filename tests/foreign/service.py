"""Discovers the inbox service as nats-py's own micro services read it: `service.py URL`.

Asks for the ping, the description and the statistics of every service there is, after one request that is answered and two
that are refused, and prints what it found as one JSON object.
"""

import asyncio
import json
import sys

import nats
from nats.micro.service import ServiceInfo, ServicePing


async def main(url):
    client = await nats.connect(url)

    async def ask(subject, body=b""):
        answer = await client.request(subject, body, timeout=20)
        return json.loads(answer.data), dict(answer.headers or {})

    await ask("placet.v1.inbox.approver.list", b"{}")
    refused, headers = await ask("placet.v1.inbox.approver.list", b"no JSON")
    await ask("placet.v1.inbox.nobody.list", b"{}")
    ping = ServicePing.from_dict((await ask("$SRV.PING"))[0])
    info = ServiceInfo.from_dict((await ask(f"$SRV.INFO.{ping.name}"))[0])
    one = ServiceInfo.from_dict((await ask(f"$SRV.INFO.{ping.name}.{ping.id}"))[0])
    # its ServiceStats reads no nanoseconds, so this one as it came
    stats, _ = await ask(f"$SRV.STATS.{ping.name}")
    await client.close()
    listing = next(endpoint for endpoint in stats["endpoints"] if endpoint["name"] == "list")
    print(json.dumps({
        "types": [ping.type, info.type, stats["type"]],
        "name": ping.name,
        "same": one.id == ping.id == info.id == stats["id"],
        "subjects": sorted(endpoint.subject for endpoint in info.endpoints),
        "requests": listing["num_requests"],
        "errors": listing["num_errors"],
        "last_error": str(listing["last_error"]),
        "refused": refused,
        "error_headers": {name: headers.get(name) for name in ["Nats-Service-Error", "Nats-Service-Error-Code"]},
    }))


asyncio.run(main(*sys.argv[1:]))
