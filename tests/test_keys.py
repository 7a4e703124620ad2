from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from consumer.config.credentials import Credentials, read_key_files
from consumer.config.provider import ProviderSettings
from consumer.keys import LOOK_INTERVAL, FixedKeys, Keys, keys_of
from tests.rig.clock import ManualClock


class Mount:
    """A folder of key files, mounted as Kubernetes mounts a secret: every change swaps one symlink."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = 0

    def swap(self, **files: str) -> None:
        """Show these files, and no others, from now on."""
        self._versions += 1
        version = self.folder / f"..{self._versions}"
        version.mkdir()
        for name, text in files.items():
            (version / name.replace("_", "-")).write_text(text)
            link = self.folder / name.replace("_", "-")
            if not link.is_symlink():
                link.symlink_to(Path("..data") / link.name)
        (self.folder / "..new").symlink_to(version.name)
        (self.folder / "..new").rename(self.folder / "..data")


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    mount = Mount(tmp_path)
    mount.swap(access_key_id="id-1\n", access_key_secret="secret-1\n")
    return mount


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged, as the events come."""
    with structlog.testing.capture_logs() as events:
        yield events


def watched(mount: Mount, clock: ManualClock) -> Keys:
    return keys_of(ProviderSettings(key_files=mount.folder), read_key_files(mount.folder), clock)


def told(credentials: Credentials) -> tuple[str, str, str | None]:
    token = credentials.security_token
    return (
        credentials.access_key_id,
        credentials.access_key_secret.get_secret_value(),
        token.get_secret_value() if token else None,
    )


def looked(keys: Keys, clock: ManualClock, looks: int = 3) -> tuple[str, str, str | None]:
    """The key after some looks at its files."""
    for _ in range(looks):
        clock.time += LOOK_INTERVAL
        keys.current()
    return told(keys.current())


def test_a_key_of_the_environment_stays() -> None:
    """
    Without key files the key is the one that was there at the start.
    """
    credentials = Credentials(access_key_id="id", access_key_secret=SecretStr("secret"))

    keys = keys_of(ProviderSettings(), credentials, ManualClock())

    assert isinstance(keys, FixedKeys)
    assert keys.current() is credentials


def test_new_files_are_a_new_key(mount: Mount, logged: list[structlog.typing.EventDict]) -> None:
    """
    A swapped mount is noticed within seconds, token included, and the log names nothing of any key.
    """
    clock = ManualClock()
    keys = watched(mount, clock)
    first = looked(keys, clock)

    mount.swap(access_key_id="id-2\n", access_key_secret="secret-2\n", security_token="token-2\n")
    second = looked(keys, clock)
    mount.swap(access_key_id="id-3\n", access_key_secret="secret-3\n")
    third = looked(keys, clock)

    assert first == ("id-1", "secret-1", None)
    assert second == ("id-2", "secret-2", "token-2")
    assert third == ("id-3", "secret-3", None)
    assert logged == [{"event": "keys.changed", "folder": str(mount.folder), "log_level": "info"}] * 2


def test_the_files_are_looked_at_once_a_second(mount: Mount) -> None:
    """
    However often the key is asked for, its files are left alone in between.
    """
    clock = ManualClock()
    keys = watched(mount, clock)
    looked(keys, clock)
    mount.swap(access_key_id="id-2", access_key_secret="secret-2")

    clock.time += LOOK_INTERVAL / 2
    early = [told(keys.current()) for _ in range(100)]

    assert set(early) == {("id-1", "secret-1", None)}
    assert looked(keys, clock) == ("id-2", "secret-2", None)


def test_a_change_between_reading_and_watching_is_not_missed(mount: Mount) -> None:
    """
    The key that was read at the start is compared with the files as they are when they are first watched.
    """
    clock = ManualClock()
    credentials = read_key_files(mount.folder)
    mount.swap(access_key_id="id-2", access_key_secret="secret-2")

    keys = keys_of(ProviderSettings(key_files=mount.folder), credentials, clock)

    assert told(keys.current()) == ("id-1", "secret-1", None)
    assert looked(keys, clock) == ("id-2", "secret-2", None)


def test_files_that_hold_no_key_leave_the_old_one(mount: Mount, logged: list[structlog.typing.EventDict]) -> None:
    """
    While a file is missing or empty the old key signs and one warning is logged; the next good key is taken.
    """
    clock = ManualClock()
    keys = watched(mount, clock)
    looked(keys, clock)

    mount.swap(access_key_id="id-2", access_key_secret="\n")
    while_empty = looked(keys, clock)
    mount.swap(access_key_id="id-2")
    while_missing = looked(keys, clock)
    mount.swap(access_key_id="id-2", access_key_secret="secret-2")
    after = looked(keys, clock)
    mount.swap(access_key_secret="canary")
    looked(keys, clock)

    assert while_empty == while_missing == ("id-1", "secret-1", None)
    assert after == ("id-2", "secret-2", None)
    assert [event["event"] for event in logged] == ["keys.unreadable", "keys.changed", "keys.unreadable"]
    assert "access-key-secret: is empty" in logged[0]["problems"][0]
    assert not any(part in str(logged) for part in ("secret-1", "secret-2", "canary"))


def test_a_file_caught_half_written_is_not_taken(tmp_path: Path) -> None:
    """
    A file that changes from look to look counts once it has stayed the same.
    """
    (tmp_path / "access-key-id").write_text("id")
    (tmp_path / "access-key-secret").write_text("old")
    clock = ManualClock()
    keys = watched(Mount(tmp_path), clock)
    looked(keys, clock)

    seen = set()
    for length in range(1, 7):
        (tmp_path / "access-key-secret").write_text("secret"[:length])
        seen.add(looked(keys, clock, looks=1)[1])

    assert seen == {"old"}
    assert looked(keys, clock) == ("id", "secret", None)


def test_the_same_key_in_new_files_is_no_change(mount: Mount, logged: list[structlog.typing.EventDict]) -> None:
    """
    A mount that was refreshed with what it held is not worth a line.
    """
    clock = ManualClock()
    keys = watched(mount, clock)
    looked(keys, clock)

    mount.swap(access_key_id="id-1\n", access_key_secret="secret-1\n")

    assert looked(keys, clock) == ("id-1", "secret-1", None)
    assert logged == []
