"""The guide's loop over a session, over a raw WebSocket."""
import asyncio
import json
import sys

import websockets


async def main(base, session, token):
    async with websockets.connect(f"{base}/api/v1/stream/ws/{session}?token={token}") as stream:
        async for message in stream:
            log = json.loads(message)
            if log["type"] == "control":
                print(f"{log['event']} {log['reason']}", flush=True)
                continue
            print(f"[{log['level']}] {log['message']}", flush=True)
    print(f"closed {stream.close_code}", flush=True)


asyncio.run(main(*sys.argv[1:]))
