"""A client of the emulator that signs with the official SDK's code, and an environment without proxies."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.emulator.uploading import Clock


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official SDK takes a proxy from the environment, also for loopback."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def clock() -> Clock:
    """What tokens, objects and the vendor's sample go by."""
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session
