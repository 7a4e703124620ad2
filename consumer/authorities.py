"""
Whose certificates are trusted by what we call over HTTPS: those of a file, or the system's.

The system's are OpenSSL's own: SSL_CERT_FILE and SSL_CERT_DIR name others.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path

from consumer.errors import Misconfigured

SETTING = "provider.ca_file"
FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


class Authorities:
    """The authorities as a context for TLS, whose file is read again once it has changed."""

    def __init__(self, ca_file: Path | None, environment: Mapping[str, str]) -> None:
        """
        Raises:
            Misconfigured: the file, or the one that the environment names, cannot be read or holds no certificate.
        """
        self._file = ca_file
        self._seen = None if ca_file is None else _stamp(ca_file)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.set_alpn_protocols(("http/1.1",))
        if ca_file is None:
            _look_at_environment(environment)
            self.context.load_default_certs()
        else:
            _trust(self.context, ca_file, SETTING)

    def look_again(self) -> None:
        """
        Trust what the file holds by now as well. What it does not hold any more is trusted until a restart.

        A file that is being replaced, and holds no certificate at the moment, changes nothing.
        """
        if self._file is None or (stamp := _stamp(self._file)) == self._seen:
            return
        try:
            _trust(self.context, self._file, SETTING)
        except Misconfigured:
            return
        self._seen = stamp


def _look_at_environment(environment: Mapping[str, str]) -> None:
    """OpenSSL would ignore a missing file, and trust no certificate."""
    named = environment.get(FILE)
    if named and not environment.get(FOLDER):
        _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), Path(named), FILE)


def _trust(context: ssl.SSLContext, path: Path, named_by: str) -> None:
    """Trust the certificates of a file in PEM. `Misconfigured` escapes."""
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise Misconfigured([f"{path}: holds no certificate in PEM ({named_by})"]) from error
    except OSError as error:
        raise Misconfigured([f"{path}: cannot be read: {error.strerror} ({named_by})"]) from error


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
