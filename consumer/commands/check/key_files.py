"""Whether files that hold secrets keep them: on a shared machine others may read what their mode lets them."""

import stat
from collections.abc import Iterator
from pathlib import Path

from consumer.commands.check.findings import Finding, warning
from consumer.config import Config
from consumer.config.credentials import KEY_FILES


def open_to_others(config: Config) -> Iterator[Finding]:
    """Warn of each that is there and that everybody on this machine may read; a mounted secret with 0440 is none."""
    for setting, path in _secret_files(config):
        try:
            mode = path.stat().st_mode
        except OSError:  # said where it is read
            continue
        if mode & stat.S_IROTH:
            yield warning(
                "secrets",
                f"{path} ({setting}): everybody on this machine may read it, by its mode {mode & 0o777:04o}: chmod "
                "o-r, or mount it with defaultMode 0440 and an fsGroup",
            )


def _secret_files(config: Config) -> Iterator[tuple[str, Path]]:
    tls, sasl = config.kafka.security.tls, config.kafka.security.sasl
    for setting, path in (
        ("kafka.security.tls.key_file", tls.key_file),
        ("kafka.security.tls.key_password_file", tls.key_password_file),
        ("kafka.security.sasl.password_file", sasl.password_file),
        ("kafka.security.sasl.token_file", sasl.token_file),
        ("scan.callback.seed_file", config.scan.callback.seed_file),
    ):
        if path is not None:
            yield setting, path
    folders = {f"stores.{name}.key_files": store.key_files for name, store in config.stores.items()}
    for setting, folder in {"provider.key_files": config.provider.key_files, **folders}.items():
        if folder is not None:
            yield from ((setting, folder / name) for name in KEY_FILES.values() if name != "access-key-id")
