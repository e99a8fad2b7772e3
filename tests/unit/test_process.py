"""What the processes have in common."""

import asyncio

import pytest

from aiohttp import web

from icu_stream import process


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.mark.parametrize("said", [b"", HEAD[:10], HEAD + b"\r\n"])
async def test_a_connection_that_asks_nothing_whole_is_closed(
    monkeypatch: pytest.MonkeyPatch, said: bytes
):
    monkeypatch.setattr(process, "IDLE_S", 0.2)
    app = web.Application()
    app.router.add_get("/", hello)

    async with process.listening(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()

    assert answer.endswith(b"hello") == said.endswith(b"\r\n\r\n")


async def test_one_that_is_slow_but_whole_is_answered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "IDLE_S", 10.0)
    app = web.Application()
    app.router.add_get("/", hello)

    async with process.listening(app, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in (HEAD[:10], HEAD[10:], b"Connection: close\r\n\r\n"):
            writer.write(part)
            await asyncio.sleep(0.05)
        answer = await reader.read()
        writer.close()

    assert answer.endswith(b"hello")
