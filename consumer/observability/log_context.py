"""What every log line says of the process that wrote it, whichever library or thread it comes from."""

from collections.abc import MutableMapping
from typing import Any

_about: dict[str, Any] = {}


def say_in_every_line(**fields: Any) -> None:
    """Add these fields to every line from now on, such as `group` and `replica` of a service; none takes them away."""
    _about.clear()
    _about.update(fields)


def add_context(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that adds them, but for what a line says itself."""
    for name, value in _about.items():
        event.setdefault(name, value)
    return event
