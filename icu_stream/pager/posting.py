"""One POST over HTTP, for every channel that makes one; its answer judged by `retry.py`.

Redirects are not followed: a page goes where it was configured to go. Addresses may hold
secrets, so neither they nor answers are in any error: status and kind of failure are.
"""

import asyncio
import ssl

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from icu_stream import clock
from icu_stream.errors import ConfigurationError, DeliveryError
from icu_stream.pager import retry
from icu_stream.pager.retry import Verdict


# Ours: no channel takes longer for an attempt than so many times a target's time to answer.
LONGEST = 2
_AGENT = "icu-stream-pager"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Post:
    """Sends; one for all channels of a process.

    Args:
        timeout_s: From connecting to the answer's head; a target that hangs is let go.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self,
        url: str,
        body: bytes,
        headers: dict[str, str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Send JSON.

        Raises:
            DeliveryError: It was not taken; says whether to try again.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.timeout_s),
                headers={"User-Agent": _AGENT, "Content-Type": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                ssl=tls or True,
                allow_redirects=False,
            ) as answer:
                status, asked = answer.status, answer.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unanswered(error) from None
        judge(retry.verdict(status), f"answered {status}", asked)

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # its transports close one turn later


def judge(verdict: Verdict, answer: str, asked: str | None = None) -> None:
    """Go on where a page was taken.

    Raises:
        DeliveryError: It was not.
    """
    if verdict is Verdict.DELIVERED:
        return
    is_again = verdict is Verdict.AGAIN
    raise DeliveryError(
        answer,
        retry_after_s=retry.asked_s(asked, clock.now_ms()) if is_again else None,
        is_gone=verdict is Verdict.GONE,
    )


def unanswered(error: BaseException) -> DeliveryError:
    """What no answer is: to be tried again. Without the address, which may be a secret."""
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    else:
        cause = error.strerror if isinstance(error, OSError) else None
        reason = f"no answer: {cause or type(error).__name__}"
    return DeliveryError(reason, retry_after_s=0.0)


def check_url(url: str) -> None:
    """Refuse an address that would be sent to in the clear, or that is none.

    Raises:
        ConfigurationError: Says what is wanted; not the address, which may be a secret.
    """
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname, parts.scheme
        _ = parts.port
    except ValueError:
        host, scheme = None, ""
    if not host or scheme not in {"http", "https"}:
        msg = "no address: want https://host/path"
        raise ConfigurationError(msg)
    if scheme == "http" and host not in _LOOPBACK:
        msg = f"http to {host}: want https; http goes to this machine alone"
        raise ConfigurationError(msg)


def tls(ca_file: str | None) -> ssl.SSLContext | None:
    """Trust a hospital's own certificate authority; None: those of this machine.

    Raises:
        ConfigurationError: The file is not there or is no PEM.
    """
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file)))
    except OSError as error:
        msg = f"ca_file {ca_file}: {error.strerror or error}; want a PEM file"
        raise ConfigurationError(msg) from None
