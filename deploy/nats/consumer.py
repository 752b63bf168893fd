"""A consumer of Placet's events: each event once, in order, in a file of its own.

    consumer.py NATS_URL PROJECT FILE [SEED_FILE]

It needs nothing of Placet but the stream, and nothing but nats-py (`pip install 'nats-py[nkeys]'`). Three rules make it
exact, whatever dies meanwhile:

1. An event is acknowledged only after it is on disk (durable pull consumer, explicit acknowledgement).
2. `Placet-Seq` (with `Placet-Epoch`, once a log was restored) says which event it is: what the file has is not written again.
3. After a gap (this file is older than what was acknowledged) the missing events are fetched from the stream again.

FILE holds a line of JSON for each event: `{"epoch", "seq", "event"}`; what is on disk is told on stdout, by its number. A line that a kill has cut short is cut off at the start.
"""

import asyncio
import json
import os
import sys

import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


class Journal:
    """The consumer's own record, and so the one truth about what it has dealt with."""

    def __init__(self, path):
        self.file = open(path, "a+b")
        self.file.seek(0)
        content = self.file.read()
        whole = content.rfind(b"\n") + 1
        self.file.truncate(whole)
        lines = content[:whole].splitlines()
        last = json.loads(lines[-1]) if lines else {"epoch": 1, "seq": 0}
        self.last = (last["epoch"], last["seq"])

    def write(self, epoch, seq, data):
        line = json.dumps({"epoch": epoch, "seq": seq, "event": json.loads(data)})
        self.file.write(line.encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.last = (epoch, seq)
        print(seq, flush=True)


def place(headers):
    return int(headers.get("Placet-Epoch", "1")), int(headers["Placet-Seq"])


async def fetch_again(js, stream, journal, before):
    """Reads back from the message at hand to the last one that the journal has, and writes what lies between."""
    missing = []
    while before > 0:
        message = await js.get_msg(stream, before)
        if place(message.headers) <= journal.last:
            break
        missing.append(message)
        before -= 1
    for message in reversed(missing):
        journal.write(*place(message.headers), message.data)


async def deal_with(js, stream, journal, message):
    epoch, seq = place(message.headers)
    if (epoch, seq) > journal.last:
        if epoch == journal.last[0] and seq > journal.last[1] + 1:
            await fetch_again(js, stream, journal, message.metadata.sequence.stream - 1)
        journal.write(epoch, seq, message.data)
    await message.ack()


async def consume(url, project, path, seed_file=None):
    journal = Journal(path)
    stream = f"PLACET_EV_{project}"
    config = ConsumerConfig(
        durable_name="journal",
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        max_ack_pending=64,
        ack_wait=5,
    )
    client = await nats.connect(
        url, nkeys_seed=seed_file, max_reconnect_attempts=-1, reconnect_time_wait=0.2, ping_interval=5
    )
    js = client.jetstream()
    while True:
        try:
            subject = f"placet.v1.ev.{project}.>"
            pull = await js.pull_subscribe(subject, durable="journal", stream=stream, config=config)
            while True:
                for message in await pull.fetch(32, timeout=1):
                    await deal_with(js, stream, journal, message)
        except (NatsError, OSError):
            # nothing new, or the server is away: what was not acknowledged comes again
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(consume(*sys.argv[1:]))
