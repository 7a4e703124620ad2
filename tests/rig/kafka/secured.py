"""A real Kafka that lets nobody in without a password, a token or a certificate, and the files that get one in."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization

from tests.rig.kafka.cluster import KafkaCluster

USER, PASSWORD = "ada", "canary-sasl%1"
SASL, MUTUAL, CLEAR, PLAIN = "SECRET", "MUTUAL", "CLEAR", "PLAINTEXT"  # listeners
_LISTENERS = {SASL: "SASL_SSL", MUTUAL: "SSL", CLEAR: "SASL_PLAINTEXT"}
_MODULES = "org.apache.kafka.common.security"
_JAAS = {
    "PLAIN": f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "SCRAM-SHA-256": f"{_MODULES}.scram.ScramLoginModule required;",
    "SCRAM-SHA-512": f"{_MODULES}.scram.ScramLoginModule required;",
    "OAUTHBEARER": f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}


@dataclass(frozen=True)
class SecuredKafka:
    """The cluster and, in `folder`: ca.pem, client.pem (certificate and key), other-ca.pem, password, token."""

    cluster: KafkaCluster
    folder: Path

    def settings(self, listener: str, mechanism: str | None = None) -> dict[str, Any]:
        """The section `kafka` that gets in through a listener."""
        security: dict[str, Any] = {"protocol": _LISTENERS[listener]}
        if listener != CLEAR:
            security["tls"] = {"ca_file": str(self.folder / "ca.pem")}
        if listener == MUTUAL:
            client = str(self.folder / "client.pem")
            security["tls"] |= {"certificate_file": client, "key_file": client}
        if mechanism == "OAUTHBEARER":
            security["sasl"] = {"mechanism": mechanism, "token_file": str(self.folder / "token")}
        elif mechanism:
            security["sasl"] = {
                "mechanism": mechanism, "username": USER, "password_file": str(self.folder / "password"),
            }  # fmt: skip
        return {"bootstrap_servers": self.servers(listener), "security": security}

    def servers(self, listener: str) -> str:
        """Where a listener is."""
        return self.cluster.bootstrap_servers if listener == PLAIN else self.cluster.bootstrap_servers_of(listener)


@asynccontextmanager
async def secured(folder: Path) -> AsyncIterator[SecuredKafka]:
    """Start the cluster; its plaintext listener stays, for the tests' own hands."""
    authority = trustme.CA()
    _write_files(folder, authority)
    async with KafkaCluster.start(
        properties=_properties(folder), listeners=_LISTENERS, scram_users={USER: PASSWORD}
    ) as kafka:
        yield SecuredKafka(kafka, folder)


def token(lifetime: float = 600.0) -> str:
    """An unsigned JSON web token, which a broker without further settings takes."""
    claims = {"sub": USER, "iat": time.time(), "exp": time.time() + lifetime}
    header, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)
    )
    return f"{header.decode()}.{body.decode()}."


def write_certificate(path: Path, authority: trustme.CA, name: str) -> None:
    """A new key, in the one form that Kafka's brokers read, and its certificate."""
    made = authority.issue_cert(name)
    key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(key + b"".join(blob.bytes() for blob in made.cert_chain_pems))


def _write_files(folder: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other-ca.pem")
    write_certificate(folder / "broker.pem", authority, "127.0.0.1")
    write_certificate(folder / "client.pem", authority, "moderation")
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "token").write_text(token())


def _properties(folder: Path) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(folder / "ca.pem"),
        f"listener.name.{MUTUAL.lower()}.ssl.client.auth": "required",
        f"listener.name.{SASL.lower()}.sasl.enabled.mechanisms": ",".join(_JAAS),
        f"listener.name.{CLEAR.lower()}.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        **{
            f"listener.name.{listener.lower()}.{mechanism.lower()}.sasl.jaas.config": jaas
            for listener in (SASL, CLEAR)
            for mechanism, jaas in _JAAS.items()
        },
    }
