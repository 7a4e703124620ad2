"""
What is answered to requests that no client of the vendor's sends.
"""

import asyncio
import time
from email.utils import formatdate

import orjson
import pytest

from consumer.emulator import EmulatorSettings, running

KEY = EmulatorSettings().access_key_id
SIGNED = "host;x-acs-date;x-acs-odd;x-acs-signature-nonce"
ACS3 = f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={SIGNED},Signature={'0' * 64}"


@pytest.mark.parametrize(
    ("path", "authorization"),
    [("/", ACS3), ("/green/image/scan", f"acs {KEY}:x"), ("/green/image/scan?a=%ff", f"acs {KEY}:x")],
)
async def test_a_header_that_is_not_utf_8_is_refused_as_json(path: str, authorization: str) -> None:
    """
    The refusal repeats what was signed, as far as it is text.
    """
    async with running(EmulatorSettings()) as emulator:
        host, _, port = emulator.endpoint.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        named = {
            "Host": emulator.endpoint,
            "Authorization": authorization,
            "Date": formatdate(usegmt=True),
            "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "x-acs-signature-nonce": "1",
            "Content-Length": "0",
            "Connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        writer.write(f"POST {path} HTTP/1.1\r\n{lines}".encode() + b"x-acs-odd: \xff\r\n\r\n")
        answered = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()

    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert orjson.loads(body)["Code"] == "SignatureDoesNotMatch"
