"""
Who may call the emulator: whoever means it, by a name that it has; and who may change what it does: the account.

A page of a foreign site, open in a browser on this machine, reaches loopback under a name of its own (DNS rebinding).
It cannot choose another Host header than that name, so names that nobody gave to the emulator are refused.
"""

import base64
import hmac
import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import Credentials
from consumer.emulator.tokens import split_host
from consumer.loopback import is_loopback

ACCOUNT: Final = web.AppKey("account", bytes)
"""What the account says to change something: `id:secret`."""


def account_of(settings: EmulatorSettings) -> bytes:
    """The account's key, as HTTP's basic authentication writes it before encoding."""
    return f"{settings.access_key_id}:{settings.access_key_secret.get_secret_value()}".encode()


def credentials_of(settings: EmulatorSettings) -> Credentials:
    """What calls of the account are signed with."""
    token = settings.security_token
    return Credentials(
        settings.access_key_id,
        settings.access_key_secret.get_secret_value(),
        token.get_secret_value() if token else None,
        settings.security_token_expiry,
    )


def is_account(request: web.Request) -> bool:
    """Whether a request shows the account's key (`curl -u ID:SECRET`)."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    wanted = base64.b64encode(request.app[ACCOUNT])
    return scheme.lower() == "basic" and hmac.compare_digest(shown.strip().encode("utf-8", "replace"), wanted)


def is_called_by(host: str | None, names: Collection[str]) -> bool:
    """
    Whether a Host header is loopback, an address or one of these names, which are in lower case.

    A bucket for uploads may stand before it: that is how clients of an object store call it.
    """
    _, rest = split_host(host or "")
    try:
        name = urlsplit(f"//{rest}").hostname or ""
    except ValueError:  # half an IPv6 address
        return False
    return is_loopback(name) or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def only_by(names: Collection[str]) -> Middleware:
    """Refuse what was sent to a name that the emulator does not have, before anything is read or counted."""
    known = frozenset(name.lower() for name in names)

    @web.middleware
    async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_called_by(request.headers.get("Host"), known):
            return await handler(request)
        return web.Response(
            status=421, text="The emulator is called by an address, localhost, or a name that --name gives it.\n"
        )

    return refuse_strangers
