"""The example API's user route with fastapi-cache2: in Redis if REDIS_URL is set, otherwise in memory."""

import os

from fastapi import FastAPI
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.backends.redis import RedisBackend
from fastapi_cache.decorator import cache
from redis import asyncio as redis

app = FastAPI()
calls = 0

url = os.environ.get("REDIS_URL")
FastAPICache.init(RedisBackend(redis.from_url(url)) if url else InMemoryBackend(), prefix="peers")


@app.get("/api/users/{id}")
@cache(expire=3600)
async def user(id: int):
    global calls
    calls += 1
    return {"user": {"id": id, "name": "Cached User A"}}


@app.get("/calls")
async def count():
    """Returns how often the handler ran, so that the benchmark can tell hits from misses."""
    return calls
