"""One scan with the reference client, as a program that `facegate conformance --run` starts."""

import asyncio
import os

from facegate_client import ClientError, FaceScanner, ScanTicket, generated_source, open_channel
from lab.conformance.clients import noise


async def main() -> None:
    async with open_channel(os.environ["CONFORMANCE_SERVER"]) as channel:
        ticket = ScanTicket(
            token=os.environ["CONFORMANCE_TOKEN"],
            challenge_key_sha256=bytes.fromhex(os.environ["CONFORMANCE_KEY_SHA256"]),
        )
        await FaceScanner(channel=channel, ticket=ticket, source=generated_source(noise())).scan()


try:
    asyncio.run(main())
except ClientError as error:
    raise SystemExit(str(error)) from error
