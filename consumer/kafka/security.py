"""
How every Kafka client of this service connects and authenticates: TLS, SASL, and secrets that change on disk.

    access.options ──► AIOKafkaConsumer(**options), AIOKafkaProducer(…), AIOKafkaAdminClient(…)
          ▲                            │
    files, looked at                register: its next connections use what the files then hold

A refused password, token or certificate does not end the process: during a rotation the brokers may be ahead of the
files or behind them, and a process that ends would only be restarted with growing delays. `reasons_not_ready` and the
log say what is wrong. Open connections are not touched: Kafka authenticates a connection only when it begins.

While no broker answers any client, with any protocol, we probe the brokers, so that readiness can name them and what is
wrong; and clients whose brokers have all moved are sent to the bootstrap servers again.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import AuthenticationFailedError, IllegalSaslStateError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from consumer import background
from consumer.clock import Clock
from consumer.config.kafka import KafkaSecurity, KafkaSettings
from consumer.errors import Misconfigured
from consumer.kafka.presence import Address, bootstrap, is_heard, known, named
from consumer.kafka.refusals import Refusal, explain

log = structlog.get_logger()

LOOK_INTERVAL = 1.0  # seconds between looks at the clients …
FILES_INTERVAL = 5.0  # … and at the files; what is found counts once it was found twice
PROBE_INTERVAL = 30.0  # seconds between connections that only test whether brokers still accept them
PROBE_TIMEOUT = 10.0  # seconds
SHORT_PROBE_TIMEOUT = 4.0  # seconds, while no broker answers a client …
FIRST_PROBE_TIMEOUT = 1.5  # … and at the first probe then, so that brokers without answer are named within five
FIRST_DELAY, LONGEST_DELAY = (
    1.0,
    10.0,
)  # seconds between attempts at the start; exponential backoff: do not hammer the broker with a wrong password
REMINDER = 60.0  # seconds until a reason that stays is logged again

Client = TypeVar("Client")  # AIOKafkaConsumer, AIOKafkaProducer or AIOKafkaAdminClient
Contents = Mapping[str, bytes]


class KafkaAccess:
    """The way in, for all clients together."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Read every file. `Misconfigured` escapes, with each that is missing or does not hold what it should."""
        self._settings = settings
        self._security = settings.security
        self._contents = self._seen = _read(self._security)
        self._secrets = Secrets.of(self._security, self._contents)
        self._clients: WeakSet[AIOKafkaClient] = WeakSet()
        self._brokers: frozenset[Address] = frozenset()  # that there are, as far as is known
        self._refusal: Refusal | None = None
        self._readable = True
        self._remind_at = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that a client of aiokafka needs to connect and authenticate."""
        sasl = self._security.sasl
        options: dict[str, Any] = {
            "bootstrap_servers": self._settings.bootstrap_servers,
            "client_id": self._settings.client_id,
            "security_protocol": self._security.protocol,
            "ssl_context": self._secrets.ssl_context,
        }
        if self._security.uses_sasl:
            options |= {
                "sasl_mechanism": sasl.mechanism,
                "sasl_plain_username": sasl.username,
                "sasl_plain_password": self._secrets.password,
                "sasl_oauth_token_provider": TokenFile(sasl.token_file, sasl.extensions) if sasl.token_file else None,
            }
        return options

    def register(self, client: Client) -> Client:
        """Let a client's next connections use secrets that have changed since it was made."""
        # aiokafka 0.14: the producer's is public, consumer and admin client keep theirs to themselves.
        self._clients.add(getattr(client, "client", None) or client._client)  # type: ignore[attr-defined]
        return client

    def reasons_not_ready(self) -> list[str]:
        """Say why no broker accepts us, and what to do; nothing if one does."""
        return [f"kafka: {self._refusal.reason}"] if self._refusal else []

    async def wait_until_connected(self, clock: Clock) -> None:
        """Return once a broker accepts us, however long that takes."""
        delay = FIRST_DELAY
        while refusal := await self.probe():
            self._note(refusal, clock)
            await clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY) if refusal.lasting else FIRST_DELAY
            if self._look():
                delay = FIRST_DELAY
        self._note(None, clock)

    @contextlib.asynccontextmanager
    async def watched(self, clock: Clock) -> AsyncIterator[None]:
        """Until the context ends, follow the files, and notice brokers that are away, have moved or would refuse us."""
        async with background.running(self._watch(clock), "kafka access"):
            yield

    async def _watch(self, clock: Clock) -> None:
        look_at = probe_at = clock.now()
        was_heard = False
        while True:
            await clock.sleep(LOOK_INTERVAL)
            try:
                changed = False
                if clock.now() >= look_at:
                    look_at, changed = clock.now() + FILES_INTERVAL, self._look()
                heard = self._who_hear()
                if not heard:
                    probe_at = clock.now() + PROBE_INTERVAL
                    await self._look_for_brokers(FIRST_PROBE_TIMEOUT if was_heard else SHORT_PROBE_TIMEOUT, clock)
                elif changed or (self._is_secured and clock.now() >= probe_at):
                    probe_at = clock.now() + PROBE_INTERVAL
                    refusal = await self.probe()
                    # While other brokers answer, the clients themselves deal with one that is away.
                    self._note(refusal if refusal and refusal.lasting else None, clock)
                else:
                    self._brokers = frozenset().union(*map(known, heard))
                    if self._refusal and not self._refusal.lasting:
                        self._note(None, clock)
                was_heard = bool(heard)
                await self._send_back_who_is_lost()
            except Exception:
                log.exception("kafka.watch_unexpected_error")  # what is not watched must not stop what works

    def _who_hear(self) -> list[AIOKafkaClient]:
        return [client for client in self._clients if is_heard(client, time.monotonic())]

    async def _look_for_brokers(self, timeout: float, clock: Clock) -> None:
        """Find out why no broker answers any client. `timeout` is in seconds, for each connection."""
        refusal = await self.probe(timeout)
        if refusal is None and (elsewhere := self._brokers - self._bootstrap_servers):
            refusal = await self._probe_all(elsewhere, timeout)
            if refusal:
                said = f"{refusal.reason}; brokers advertise this address: see their advertised.listeners"
                refusal = refusal._replace(reason=said)
        if refusal and not refusal.lasting and self._who_hear():  # meanwhile
            refusal = None
        self._note(refusal, clock)

    async def _send_back_who_is_lost(self) -> None:
        """Where a client knows none of the brokers that there are, let it ask the bootstrap servers again."""
        moved = [await bootstrap(client, self._brokers) for client in list(self._clients)]
        if any(moved):
            brokers = sorted(f"{host}:{port}" for host, port in self._brokers)
            log.warning("kafka.bootstrapped_anew", clients=sum(moved), brokers=brokers)

    @property
    def _bootstrap_servers(self) -> frozenset[Address]:
        return frozenset((host, port) for host, port, _ in collect_hosts(self._settings.bootstrap_servers))

    @property
    def _is_secured(self) -> bool:
        return self._security.protocol != "PLAINTEXT"

    def _look(self) -> bool:
        """Take over files that have changed; say whether they did. Wrong ones change nothing."""
        try:
            before, self._seen = self._seen, _read(self._security)
            if self._seen == self._contents or self._seen != before:
                return False
            secrets = Secrets.of(self._security, self._seen)
            if _read(self._security) != self._seen:
                return False
        except Misconfigured as error:
            if self._readable:
                log.warning("kafka.secrets_unreadable", problems=error.problems)
            self._readable = False
            return False
        changed = sorted(name for name, content in self._seen.items() if content != self._contents[name])
        self._contents, self._secrets, self._readable = self._seen, secrets, True
        for client in self._clients:
            # aiokafka 0.14 has no way to change these; it reads them for each new connection.
            client._ssl_context, client._sasl_plain_password = secrets.ssl_context, secrets.password
        log.info("kafka.secrets_changed", settings=changed)
        return True

    async def probe(self, timeout: float = PROBE_TIMEOUT) -> Refusal | None:
        """
        Connect to a broker as the clients do; say why none accepts us. A refusal says more than a broker that is away.

        `timeout` is in seconds, for each of the bootstrap servers.
        """
        return await self._probe_all(self._bootstrap_servers, timeout)

    async def _probe_all(self, addresses: Collection[Address], timeout: float) -> Refusal | None:
        """As `probe` does, at all of these addresses at once: one that never answers keeps no other waiting."""
        probes = {asyncio.create_task(self._probe_at(*each, timeout), name="probe") for each in sorted(addresses)}
        refusals: list[Refusal] = []
        try:
            for ended in asyncio.as_completed(probes):
                if (refusal := await ended) is None:
                    return None
                refusals.append(refusal)
        finally:
            for probe in probes:
                probe.cancel()
            await asyncio.wait(probes)
        return max(refusals, key=lambda refusal: refusal.lasting)

    async def _probe_at(self, host: str, port: int, timeout: float) -> Refusal | None:
        try:
            async with asyncio.timeout(timeout):
                await self._connect(host, port)
        except (OSError, KafkaError, TimeoutError, ValueError, AssertionError) as error:
            found = explain(error, self._security)
            return found._replace(reason=f"{host}:{port}: {found.reason}")
        return None

    async def _connect(self, host: str, port: int) -> None:
        options = self.options
        del options["bootstrap_servers"]
        connection = await create_conn(host, port, **options)
        try:
            answer = await connection.send(MetadataRequest([]))
            # A listener that requires SASL closes a connection without SASL only now. And aiokafka 0.14 takes the error
            # about a token (RFC 7628, 3.2.2) for success; the broker, which waits for a reply, then names no brokers.
            if not answer.brokers:
                raise IllegalSaslStateError
            self._brokers = named(answer)
        finally:
            connection.close()  # its end is not waited for: TLS may take half a minute to say goodbye

    def _note(self, refusal: Refusal | None, clock: Clock) -> None:
        before, self._refusal = self._refusal, refusal
        if refusal is None:
            if before is not None:
                log.info("kafka.connected")
        elif refusal != before or clock.now() >= self._remind_at:
            self._remind_at = clock.now() + REMINDER
            event = "kafka.refused" if refusal.lasting else "kafka.unreachable"
            log.warning(event, reason=refusal.reason)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the files held, ready for a connection."""

    ssl_context: ssl.SSLContext | None
    password: str | None = field(repr=False)

    @classmethod
    def of(cls, security: KafkaSecurity, contents: Contents) -> "Secrets":
        """`Misconfigured` escapes, naming files and settings and nothing of what they hold."""
        problems: list[str] = []
        password = None
        if security.sasl.password is not None:
            password = security.sasl.password.get_secret_value()
        elif security.sasl.password_file is not None:
            password = _line(security.sasl.password_file, contents["sasl.password_file"], problems)
        context = _tls(security, contents, problems) if security.uses_tls else None
        if problems:
            raise Misconfigured(problems)
        return cls(context, password)


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """A token that another program renews, read for each connection."""

    def __init__(self, path: Path, extensions: Mapping[str, str]) -> None:
        self._path = path
        self._extensions = extensions

    async def token(self) -> str:
        """Return the token. `AuthenticationFailedError` escapes where there is none at the moment."""
        return self._read()

    def extensions(self) -> Mapping[str, str]:
        return self._extensions

    def _read(self) -> str:
        problems: list[str] = []
        try:
            token = _line(self._path, self._path.read_bytes(), problems)
        except OSError as error:
            problems, token = [f"{self._path}: cannot be read: {error.strerror}"], ""
        if problems:
            raise AuthenticationFailedError(problems[0])
        return token


def _read(security: KafkaSecurity) -> Contents:
    """What each file of the settings holds, by the setting that names it."""
    named = {
        f"{part}.{name}": path
        for part, settings in (("tls", security.tls), ("sasl", security.sasl))
        for name, path in settings
        if isinstance(path, Path) and name != "token_file"  # read for each connection
    }
    contents, problems = {}, []
    for setting, path in named.items():
        try:
            contents[setting] = path.read_bytes()
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror} (kafka.security.{setting})")
    if problems:
        raise Misconfigured(problems)
    return contents


def _line(path: Path, content: bytes, problems: list[str]) -> str:
    """A secret that is one line of text."""
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = "\n"
    if not text:
        problems.append(f"{path}: is empty")
    elif not text.isprintable():
        problems.append(f"{path}: holds more than one line of text")
    return text


def _tls(security: KafkaSecurity, contents: Contents, problems: list[str]) -> ssl.SSLContext:
    tls = security.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.check_hostname
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cafile=tls.ca_file)
        except (ssl.SSLError, OSError):
            problems.append(f"{tls.ca_file}: holds no certificate in PEM (kafka.security.tls.ca_file)")
    if tls.certificate_file is None or tls.key_file is None:
        return context
    password = ""  # without one OpenSSL would ask on the terminal
    if tls.key_password_file is not None:
        password = _line(tls.key_password_file, contents["tls.key_password_file"], problems)
    try:
        context.load_cert_chain(tls.certificate_file, tls.key_file, password)
    except (ssl.SSLError, OSError, ValueError) as error:
        problems.append(_unusable(security, error))
    return context


def _unusable(security: KafkaSecurity, error: Exception) -> str:
    tls = security.tls
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key_file}: is not the key of the certificate in {tls.certificate_file}"
    if b"ENCRYPTED" in (tls.key_file.read_bytes() if tls.key_file else b""):
        return f"{tls.key_file}: cannot be decrypted: see kafka.security.tls.key_password_file"
    return f"{tls.certificate_file} and {tls.key_file}: hold no certificate and key in PEM"
