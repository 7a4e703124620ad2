"""What the commands of `libraries` do: read the files, ask the account, plan, show, act."""

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import typer

from consumer.alibaba.libraries import LibraryClient
from consumer.authorities import Authorities
from consumer.clock import SystemClock
from consumer.commands.libraries.page import as_json, as_text, library_lines, step_line
from consumer.config.credentials import load_credentials
from consumer.config.loading import load_config
from consumer.config.origins import Origins
from consumer.errors import CallFailed, ConsumerError, Misconfigured
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.libraries import Account, State
from consumer.libraries.apply import Applying, read_state
from consumer.libraries.file import LibrariesFile, Wanted, read_libraries, wanted_in
from consumer.libraries.lock import Lock, lock_beside, read_lock, write_lock
from consumer.libraries.plan import Allowed, Plan, Step, adopted
from consumer.libraries.plan import plan as decide
from consumer.loopback import is_loopback
from consumer.proxies import Proxies
from consumer.vendor_facts.aliyun import LIBRARIES_URL

TIMEOUTS = Timeouts(connect=5.0, read=15.0)


class Options(NamedTuple):
    """What was asked for."""

    file: Path
    lock: Path | None
    config: Path | None
    endpoint: str | None
    replace: bool = False
    remove: bool = False
    as_json: bool = False
    yes: bool = False

    @property
    def lock_path(self) -> Path:
        """The lock that is named, or else the one beside the file."""
        return self.lock or lock_beside(self.file)


class Read(NamedTuple):
    """Everything that is read before something is decided."""

    file: LibrariesFile
    origins: Origins
    wanted: list[Wanted]
    lock: Lock
    state: State


Command = Callable[[Options, Account], Awaitable[int]]


def run(command: Command, options: Options, environment: Mapping[str, str]) -> int:
    """
    Open the account, run a command and return its exit status.

    Raises:
        Misconfigured: configuration, key, endpoint or files are wrong.
        ConsumerError: the vendor refused, or could not be asked.
    """

    async def opened() -> int:
        async with _account(options, environment) as account:
            return await command(options, account)

    try:
        return asyncio.run(opened())
    except CallFailed as error:
        raise ConsumerError(_in_words(error)) from error


async def plan(options: Options, account: Account) -> int:
    """Say what is to be done: 0 nothing, 1 something, 2 it cannot be done."""
    read = await _read(options, account)
    planned = _decide(read, options)
    _print_plan(planned, options)
    _refuse(planned, read)
    return 0 if planned.is_empty else 1


async def apply(options: Options, account: Account) -> int:
    """Do what is to be done."""
    with _alone(options.lock_path):
        read = await _read(options, account)
        planned = _decide(read, options)
        _print_plan(planned, options)
        _refuse(planned, read)
        if any(step.verb in ("delete", "replace") for step in planned.steps):
            _confirm(options)
        if not planned.is_empty:
            await _carry_out(planned, read, options, account)
    return 0


async def show(options: Options, account: Account) -> int:
    """Show what the account has."""
    wanted = wanted_in(read_libraries(options.file)[0]) if options.file.exists() else []
    lock = read_lock(options.lock_path)
    state = await read_state(account, wanted, lock)
    ours = {each.id for each in lock.libraries} if lock.account in (None, state.account) else set()
    for line in library_lines(state, ours, options.lock_path.name, as_json=options.as_json):
        typer.echo(line)
    return 0


async def adopt(options: Options, account: Account) -> int:
    """Write what the account has, and the file names, into the lock."""
    with _alone(options.lock_path):
        read = await _read(options, account)
        lock, steps, problems = adopted(read.wanted, read.state, read.lock)
        if problems:
            raise Misconfigured([read.origins.line(each) for each in problems])
        write_lock(options.lock_path, lock)
    for step in steps:
        typer.echo(as_json(step) if options.as_json else step_line(step))
    if not steps and not options.as_json:
        typer.echo("nothing to adopt: the lock has every library of the file that the account has")
    return 0


async def _read(options: Options, account: Account) -> Read:
    problems: list[str] = []
    file = lock = None
    try:
        file = read_libraries(options.file)
    except Misconfigured as error:
        problems += error.problems
    try:
        lock = read_lock(options.lock_path)
    except Misconfigured as error:
        problems += error.problems
    if file is None or lock is None:
        raise Misconfigured(problems)
    wanted = wanted_in(file[0])
    return Read(*file, wanted, lock, await read_state(account, wanted, lock))


def _decide(read: Read, options: Options) -> Plan:
    allowed = Allowed(replace=options.replace, remove=options.remove)
    return decide(
        read.wanted, read.file.business_scenarios, read.state, read.lock, SystemClock().wall(), allowed
    )  # fmt: skip


def _print_plan(planned: Plan, options: Options) -> None:
    if options.as_json:
        for step in planned.steps:
            typer.echo(as_json(step))
    elif not planned.problems:
        typer.echo(as_text(planned))
    for note in planned.notes:
        typer.echo(f"! {note}", err=True)


def _refuse(planned: Plan, read: Read) -> None:
    if planned.problems:
        raise Misconfigured([read.origins.line(each) for each in sorted(planned.problems, key=read.origins.order)])


def _confirm(options: Options) -> None:
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Misconfigured(["something is deleted: look at the plan, and say --yes"])
    if not typer.confirm("Delete what is marked with -?", default=False, err=True):
        raise Misconfigured(["nothing was done"])


async def _carry_out(planned: Plan, read: Read, options: Options, account: Account) -> None:
    def done(step: Step) -> None:
        if not options.as_json and step.does_something:
            typer.echo(f"✓ {step_line(step)}")

    applying = Applying(account, read.lock, lambda lock: write_lock(options.lock_path, lock), SystemClock())
    await applying.carry_out(planned, read.state, done)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Refuse a second run that writes in the same folder. Raises: Misconfigured."""
    try:
        folder = os.open(lock.parent, os.O_RDONLY)
    except OSError as error:
        raise Misconfigured([f"{lock.parent}: cannot be opened: {error.strerror}"]) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise Misconfigured([f"{lock}: another `libraries` command is writing it: wait for its end"]) from error
    try:
        yield
    finally:
        os.close(folder)


@contextlib.asynccontextmanager
async def _account(options: Options, environment: Mapping[str, str]) -> AsyncIterator[Account]:
    provider = load_config(options.config, environment).provider
    credentials = load_credentials(environment, provider)
    base_url = _checked(options.endpoint or LIBRARIES_URL)
    proxies = Proxies.of(environment, provider.proxy)
    if problems := list(proxies.problems([base_url])):
        raise Misconfigured(problems)
    ways = Ways(proxies, Authorities(provider.ca_file, environment if base_url.startswith("https:") else {}))
    clock = SystemClock()
    async with open_transport(4, ways) as transport:
        yield LibraryClient(Exchanges(transport, TIMEOUTS, clock), base_url, credentials, clock, _say_wait)


def _checked(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        host, is_bare = parts.hostname or "", parts.path in ("", "/") and not (parts.query or parts.username)
        _ = parts.port
    except ValueError:
        host, is_bare, parts = "", False, urlsplit("")
    if not host or not is_bare or parts.scheme not in ("http", "https"):
        raise Misconfigured([f"--endpoint: must be a base URL such as {LIBRARIES_URL}"])
    if parts.scheme == "http" and not is_loopback(host):
        raise Misconfigured([f"--endpoint: is http:// to {host}, another machine: write https://"])
    return f"{parts.scheme}://{parts.netloc}"


def _say_wait(operation: str, seconds: float) -> None:
    typer.echo(f"  {operation} is throttled: waiting {seconds:.1f} s", err=True)


def _in_words(error: CallFailed) -> str:
    advice = {
        "account": "see the key, its permissions (AliyunYundunGreenWebFullAccess) and the account",
        "clock": "set this machine's clock",
        "provider": "try again later: what was done is in the lock file",
        "malformed": "the answer is not what the vendor's SDKs promise: nothing is done without knowing what is there",
    }.get(error.kind, "try again")
    detail = f" ({error.detail})" if error.detail else ""
    return f"the vendor's library operations cannot be used: {error}{detail}: {advice}"
