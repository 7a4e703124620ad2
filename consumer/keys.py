"""
Which key signs the next call: one that stays, or one that is read again when its files change.

Files change while they are read: an editor truncates and then writes, a secret mount swaps a symlink under three files.
So what is found counts once it has looked the same twice, a second apart, and did not change meanwhile. Until then, and
for as long as it is no key, the old one is used: the provider's refusal says more than a guess of ours could.
"""

from pathlib import Path
from typing import Protocol

import structlog

from consumer.clock import Clock
from consumer.config.credentials import KEY_FILES, Credentials, read_key_files
from consumer.config.provider import ProviderSettings
from consumer.errors import Misconfigured

log = structlog.get_logger()

LOOK_INTERVAL = 1.0  # seconds


class Keys(Protocol):
    """Knows the account's key."""

    def current(self) -> Credentials:
        """Return the key to sign with now."""
        ...


def keys_of(settings: ProviderSettings, credentials: Credentials, clock: Clock) -> Keys:
    """Begin with `credentials`, and keep to them unless the settings name files to watch."""
    return watched_keys(settings.key_files, credentials, clock)


def watched_keys(folder: Path | None, credentials: Credentials, clock: Clock) -> Keys:
    """Begin with `credentials`, and keep to them unless there is a folder of files to watch."""
    return FixedKeys(credentials) if folder is None else WatchedKeys(folder, credentials, clock)


class FixedKeys:
    """The key that the environment gave: a process's environment does not change."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def current(self) -> Credentials:
        return self._credentials


Stamps = tuple[tuple[int, ...] | None, ...]
"""What shows that a folder's files were replaced or written, without reading them."""


class WatchedKeys:
    """The key in a folder's files, looked at when it is asked for, at most once a second."""

    def __init__(self, folder: Path, credentials: Credentials, clock: Clock) -> None:
        self._folder = folder
        self._credentials = credentials
        self._clock = clock
        self._look_at = clock.now()
        self._seen: Stamps = ()
        self._read: Stamps = ()
        self._readable = True

    def current(self) -> Credentials:
        now = self._clock.now()
        if now >= self._look_at:
            self._look_at = now + LOOK_INTERVAL
            self._look()
        return self._credentials

    def _look(self) -> None:
        before, self._seen = self._seen, self._stamps()
        if before != self._seen or self._seen == self._read:
            return
        try:
            found = read_key_files(self._folder)
        except Misconfigured as error:
            if self._readable:
                log.warning("keys.unreadable", problems=error.problems)
            self._readable = False
            return
        if self._stamps() != self._seen:
            return
        self._read, self._readable = self._seen, True
        if found != self._credentials:
            self._credentials = found
            log.info("keys.changed", folder=str(self._folder))

    def _stamps(self) -> Stamps:
        return tuple(map(_stamp, (self._folder / name for name in KEY_FILES.values())))


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
