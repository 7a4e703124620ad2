"""The asynchronous tasks of the 1.0 API. Pure: the time is given, in seconds of any one clock."""

import secrets
import string
from typing import Final

_ALPHABET: Final = string.ascii_letters + string.digits + "$@"


def new_task_id() -> str:
    """An id as the vendor writes them, with `$` and `@`."""
    return f"img{_drawn(22)}-{_drawn(6)}"


def _drawn(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
