"""The example API's user route with cashews: in Redis with its client-side cache if REDIS_URL is set, or in memory."""

import os

from cashews import cache
from fastapi import FastAPI

app = FastAPI()
calls = 0

url = os.environ.get("REDIS_URL")
if url:
    cache.setup(url, client_side=True)
else:
    cache.setup("mem://")


@app.get("/api/users/{id}")
@cache(ttl="1h", key="user:{id}")
async def user(id: int):
    global calls
    calls += 1
    return {"user": {"id": id, "name": "Cached User A"}}


@app.get("/calls")
async def count():
    """Returns how often the handler ran, so that the benchmark can tell hits from misses."""
    return calls
