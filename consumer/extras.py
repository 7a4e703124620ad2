"""Parts of the service that need more packages than it does."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from consumer.errors import Misconfigured


@contextlib.contextmanager
def extra(name: Literal["backtest", "demo", "images", "otel", "stores"], what: str) -> Iterator[None]:
    """Import what an extra installs. `Misconfigured` escapes where it is not installed, and says how to."""
    try:
        yield
    except ImportError as error:
        raise Misconfigured(
            [f"{what} needs {error.name or 'more packages'}: pip install 'moderation-consumer[{name}]'"]
        ) from error
