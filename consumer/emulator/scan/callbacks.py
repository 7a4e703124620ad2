"""
Callbacks of the 1.0 API: a task's result, sent as a form to the URL that the call named.

They go to loopback and to the hosts that the settings name: whoever may call the emulator must not have it call what
else this machine reaches. Nothing of the answer is told but whether it was HTTP 200.

Vendor: `checksum` is the SHA-256 of the account's UID, the call's seed and `content`, in hex; `content` is the JSON of
one task; up to three more attempts until the answer is HTTP 200. How long the pauses are is not documented.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from consumer.emulator.faults import ActiveFault
from consumer.emulator.scan.codes import BAD_REQUEST, ScanError
from consumer.emulator.settings import EmulatorSettings
from consumer.loopback import is_loopback

ATTEMPTS: Final = 4
TIMEOUT: Final = 5.0
"""Seconds that an attempt may take."""


@dataclass(slots=True)
class Callbacks:
    """Sends callbacks, and counts those that were taken and those that were given up."""

    settings: EmulatorSettings
    session: aiohttp.ClientSession = field(repr=False)
    taken: int = 0
    given_up: int = 0

    def check(self, url: str) -> None:
        """Refuse a place that callbacks do not go to. Raises: ScanError 400."""
        try:
            parts = urlsplit(url)
            host, valid = parts.hostname or "", parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:
            host, valid = "", False
        if not valid or not host:
            raise ScanError(BAD_REQUEST, "callback is invalid")
        if not is_loopback(host) and host not in self.settings.callback_hosts:
            raise ScanError(BAD_REQUEST, "the emulator calls back loopback, and hosts of its setting callback_hosts")

    async def send(self, url: str, seed: str, result: Mapping[str, Any], fault: ActiveFault | None) -> None:
        """Send one result until it is taken, or often enough. A fault may lose it, repeat it or change it."""
        kind = fault.what.callback if fault else None
        if kind == "lost":
            return
        form = signed_form(self.settings.uid, seed, result)
        if kind == "tampered":
            form["content"] = orjson.dumps({**result, "dataId": "tampered"}).decode()
        for _ in range(2 if kind == "twice" else 1):
            await self._send(url, form)

    async def _send(self, url: str, form: Mapping[str, str]) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(self.settings.callback_pause)
            if await self._is_taken(url, form):
                self.taken += 1
                return
        self.given_up += 1

    async def _is_taken(self, url: str, form: Mapping[str, str]) -> bool:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        try:
            async with self.session.post(url, data=form, allow_redirects=False, timeout=timeout) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False


def signed_form(uid: str, seed: str, result: Mapping[str, Any]) -> dict[str, str]:
    """The form of a callback."""
    content = orjson.dumps(result).decode()
    checksum = hashlib.sha256(f"{uid}{seed}{content}".encode()).hexdigest()
    return {"checksum": checksum, "content": content}
