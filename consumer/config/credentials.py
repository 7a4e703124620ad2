"""
The account's key, from the environment or from files.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, SecretStr

from consumer.config.base import Settings
from consumer.config.provider import ProviderSettings
from consumer.errors import Misconfigured

KEY_FILES = {part: part.replace("_", "-") for part in ("access_key_id", "access_key_secret", "security_token")}
_HEADER_VALUE = re.compile(r"[!-~]+")


class Credentials(Settings):
    """The account's key."""

    access_key_id: str = Field(repr=False)
    access_key_secret: SecretStr
    security_token: SecretStr | None = None  # Vendor: temporary keys (STS) have one


def load_credentials(environment: Mapping[str, str], provider: ProviderSettings) -> Credentials:
    """
    Take the account's key from its files, or else from the variables that the vendor's own tools read.

    Raises:
        Misconfigured: naming each file or variable that is missing or no key.
    """
    return load_key(environment, provider.key_files, provider.key_variables, "the provider account's key")


def load_key(
    environment: Mapping[str, str], key_files: Path | None, variables: Mapping[str, str], what: str
) -> Credentials:
    """
    Take a key from its files, or else from the environment, whose `variables` are named by the key's part.

    Raises:
        Misconfigured: naming each file or variable that is missing or no key.
    """
    if key_files is not None:
        return read_key_files(key_files)
    texts = {part: environment.get(name, "") for part, name in variables.items()}
    if not texts["security_token"]:
        del texts["security_token"]
    origins = {part: f"environment {name}:" for part, name in variables.items()}
    return _credentials(texts, origins, f"is not set; it is {what}")


def read_key_files(folder: Path) -> Credentials:
    """
    Read the account's key from `access-key-id`, `access-key-secret` and, where there is one, `security-token`.

    Raises:
        Misconfigured: naming each file that is missing or holds no key, and nothing of what it holds.
    """
    texts: dict[str, str] = {}
    problems = []
    paths = {part: folder / name for part, name in KEY_FILES.items()}
    for part, path in paths.items():
        try:
            texts[part] = path.read_bytes().decode(errors="replace")
        except OSError as error:
            if part != "security_token" or not isinstance(error, FileNotFoundError):
                problems.append(f"{path}: cannot be read: {error.strerror}")
    return _credentials(texts, {part: f"{path}:" for part, path in paths.items()}, "is empty", problems)


def _credentials(
    texts: Mapping[str, str], origins: Mapping[str, str], empty: str, problems: Sequence[str] = ()
) -> Credentials:
    parts = {part: text.strip() for part, text in texts.items()}
    no_keys = [
        f"{origins[part]} {'holds more than the printable ASCII of a key' if value else empty}"
        for part, value in parts.items()
        if not _HEADER_VALUE.fullmatch(value)
    ]
    if problems or no_keys:
        raise Misconfigured([*problems, *no_keys])
    return Credentials.model_validate(parts)
