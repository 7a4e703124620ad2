import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from consumer.config.kafka import KafkaSettings
from consumer.errors import Misconfigured
from consumer.kafka.security import KafkaAccess


def problems_of(security: dict[str, Any]) -> list[str]:
    """What is wrong with the files of a `kafka.security`."""
    with pytest.raises(Misconfigured) as wrong:
        KafkaAccess(KafkaSettings.model_validate({"security": security}))
    return list(wrong.value.problems)


def test_files_that_are_missing_are_all_named(tmp_path: Path) -> None:
    """
    Each comes with its setting.
    """
    security = {
        "protocol": "SASL_SSL",
        "tls": {"ca_file": tmp_path / "ca", "certificate_file": tmp_path / "c", "key_file": tmp_path / "k"},
        "sasl": {"mechanism": "PLAIN", "username": "ada", "password_file": tmp_path / "p"},
    }

    named = {"ca": "tls.ca_file", "c": "tls.certificate_file", "k": "tls.key_file", "p": "sasl.password_file"}
    assert problems_of(security) == [
        f"{tmp_path / file}: cannot be read: No such file or directory (kafka.security.{setting})"
        for file, setting in named.items()
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"canary\ncanary", "more than one line"),
        (b"\xff", "more than one line"),
    ],
)
def test_a_password_is_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    """
    What cannot be meant is refused without showing it.
    """
    path = tmp_path / "password"
    path.write_bytes(content)
    sasl = {"mechanism": "PLAIN", "username": "ada", "password_file": path}

    [told] = problems_of({"protocol": "SASL_SSL", "sasl": sasl})

    assert told.startswith(f"{path}: ")
    assert problem in told
    assert "canary" not in told


def test_a_key_and_a_certificate_must_belong_together(tmp_path: Path) -> None:
    """
    Another certificate's key, a locked key and what is no PEM each have their own words.
    """
    authority, tls = trustme.CA(), {"certificate_file": tmp_path / "cert", "key_file": tmp_path / "key"}
    one, other = authority.issue_cert("one"), authority.issue_cert("other")
    one.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    told = []

    for key in (other.private_key_pem.bytes(), locked(one, b"word"), b"no key"):
        (tmp_path / "key").write_bytes(key)
        told += problems_of({"protocol": "SSL", "tls": tls})

    assert told == [
        f"{tmp_path}/key: is not the key of the certificate in {tmp_path}/cert",
        f"{tmp_path}/key: cannot be decrypted: see kafka.security.tls.key_password_file",
        f"{tmp_path}/cert and {tmp_path}/key: hold no certificate and key in PEM",
    ]


def test_a_locked_key_opens_with_its_password(tmp_path: Path) -> None:
    """
    The password comes from its file.
    """
    made = trustme.CA().issue_cert("one")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    (tmp_path / "key").write_bytes(locked(made, b"word"))
    (tmp_path / "word").write_bytes(b"word\n")
    tls = {"certificate_file": tmp_path / "cert", "key_file": tmp_path / "key", "key_password_file": tmp_path / "word"}

    access = KafkaAccess(KafkaSettings.model_validate({"security": {"protocol": "SSL", "tls": tls}}))

    assert access.options["ssl_context"] is not None


def test_without_security_clients_are_told_of_none() -> None:
    """
    The defaults stay what they were: plaintext.
    """
    options = KafkaAccess(KafkaSettings()).options

    assert (options["security_protocol"], options["ssl_context"]) == ("PLAINTEXT", None)
    assert not any(name.startswith("sasl") for name in options)


def locked(made: trustme.LeafCert, word: bytes) -> bytes:
    """The key of a certificate, encrypted."""
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    locking = serialization.BestAvailableEncryption(word)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locking)


async def test_servers_that_never_answer_are_waited_for_together() -> None:
    """
    Three of them take no longer than one, so that readiness names them in time.
    """

    async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(await asyncio.start_server(never_answers, "127.0.0.1", 0)) for _ in range(3)
        ]
        addresses = [f"127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
        access = KafkaAccess(KafkaSettings(bootstrap_servers=",".join(addresses)))
        began = time.monotonic()
        refusal = await access.probe(0.5)
        took = time.monotonic() - began

    assert refusal is not None
    assert not refusal.lasting
    assert any(refusal.reason.startswith(f"{address}: ") for address in addresses)
    assert took < 1.4
