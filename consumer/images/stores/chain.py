"""
The key that Amazon's own tools would use: the environment's, a profile's, a web identity's, the machine's role's.

Which of them there is, and when it is renewed, is known to botocore, asked through aiobotocore: an extra installs it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from consumer.clock import Clock
from consumer.errors import AccountRefused
from consumer.extras import extra
from consumer.images.stores.sigv4 import Key

WHAT = "a store of type s3 without key_files"
TIMEOUT = 10.0  # seconds that looking for a key, or renewing it, may take


def usual_key(store: str, region: str, clock: Clock) -> Callable[[], Awaitable[Key]]:
    """
    A function that gives the key of the moment. `AccountRefused` escapes it where there is none.

    A role is assumed in the store's region.

    Raises:
        Misconfigured: the extra is not installed.
    """
    with extra("stores", WHAT):
        from aiobotocore.session import get_session

    def look() -> Awaitable[Any]:
        session = get_session()
        session.set_config_variable("region", region)
        return session.get_credentials()  # type: ignore[no-any-return]

    return Chain(look, store, clock).current


class Chain:
    """Looks for a key until there is one, and then leaves its renewal to it. Who waited for a failure has failed."""

    def __init__(self, look: Callable[[], Awaitable[Any]], store: str, clock: Clock) -> None:
        self._look = look
        self._store = store
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._found: Any = None
        self._failure: tuple[float, str] | None = None

    async def current(self) -> Key:
        """Return the key of the moment. `AccountRefused` escapes."""
        came = self._clock.now()
        async with self._one_at_a_time:
            if self._failure is not None and self._failure[0] >= came:
                raise self._refused(self._failure[1])
            try:
                async with asyncio.timeout(TIMEOUT):
                    frozen = await self._frozen()
            except Exception as error:
                code = type(error).__name__
                self._failure = self._clock.now(), code
                raise self._refused(code) from error
        return Key(frozen.access_key, frozen.secret_key, frozen.token or None)

    async def _frozen(self) -> Any:
        if self._found is None:
            self._found = await self._look()
        if self._found is None:
            raise LookupError
        return await self._found.get_frozen_credentials()

    def _refused(self, code: str) -> AccountRefused:
        if code == "LookupError":
            code = "no_credentials"
        return AccountRefused(code, detail=f"there is no key for the store {self._store}")
