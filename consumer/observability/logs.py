"""
Logs: one event name for each thing that happens, with fields. JSON lines, or coloured text on a terminal.

Events are past-tense names such as `partitions.assigned`. What other libraries log takes the same way out.

Strangers write parts of what is logged. So texts are cut to 2,000 characters before anything else is done with them,
libraries' arguments before they are filled in; then URLs are shortened (`redaction.py`). A line that cannot be made
gives way to a minimal one: no call of a logger raises.
"""

import io
import logging
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import orjson
import structlog

from consumer.config.operation import LogSettings
from consumer.observability.log_context import add_context
from consumer.observability.log_limits import EventLimits, LogLimits, add_left_out
from consumer.observability.refused_requests import RefusedRequests
from consumer.redaction import CUT, cut, presentable, redacted, shortened

LONGEST_LINE = 32_000  # characters
LONGEST_ARGUMENT = 1_500  # so that what stands around it is logged too

Event = structlog.typing.EventDict

# Without locals: they hold keys, URLs and whatever else a frame was working with.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


class Rendering:
    """Makes the line: the last of the processors."""

    def __init__(self, console: bool) -> None:
        self._renderer: Any = (
            structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)
            if console
            else structlog.processors.JSONRenderer(serializer=_dumps)
        )
        self._console = console

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        try:
            return self._line(logger, method, event)
        except Exception as error:  # noqa: BLE001 — foreign values may raise anything while they are written
            return _minimal(method, event, error)

    def _line(self, logger: Any, method: str, event: Event) -> str:
        if not self._console:
            line: str = self._renderer(logger, method, _presented(_tracebacks(logger, method, event)))
            return line if len(line) <= LONGEST_LINE else _minimal(method, event, None)
        raised = {name: event.pop(name) for name in ("exc_info", "exception", "stack") if name in event}
        line = self._renderer(logger, method, {**_presented(event), **raised})
        shown = redacted(cut(line, LONGEST_LINE)).encode("utf-8", "backslashreplace").decode()
        return shown if len(line) <= LONGEST_LINE else f"{shown}{CUT}"


def _plain_traceback(sio: TextIO, exc_info: Any) -> None:
    """Write it with each of its lines cut: the last ones are the exception's own text."""
    whole = io.StringIO()
    structlog.dev.plain_traceback(whole, exc_info)
    sio.write("\n".join(map(shortened, cut(whole.getvalue(), LONGEST_LINE).split("\n"))))


def _presented(event: Event) -> dict[str, Any]:
    shown: dict[str, Any] = presentable(dict(event))
    return shown


def _minimal(method: str, event: Event, error: Exception | None) -> str:
    """Say that something happened, with nothing of what could not be written."""
    line = {
        "event": presentable(event.get("event")),
        "level": method,
        "time": presentable(event.get("time")),
        "not_written": type(error).__name__ if error else f"more than {LONGEST_LINE} characters",
    }
    return _dumps(line)


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=presentable).decode()


class ShortArguments(logging.Filter):
    """Cuts what other libraries' lines are filled in with, before they are: a `%r` would go through all of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass."""
        if isinstance(record.args, dict):
            record.args = {name: _short(each) for name, each in record.args.items()}
        elif record.args:
            record.args = tuple(map(_short, record.args))
        return True


def _short(value: Any) -> Any:
    """Cut a text or bytes; numbers and objects must stay what they are, for the `%d` and `%s` that take them."""
    if isinstance(value, str):
        return shortened(value, LONGEST_ARGUMENT)
    return bytes(value[:LONGEST_ARGUMENT]) if isinstance(value, bytes | bytearray) else value


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """As its parent, but for messages whose arguments do not fit them."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001 — logging would print the arguments, secrets among them
            return _minimal(record.levelname.lower(), {"event": f"a line of {record.name}"}, error)


def set_up_logs(settings: LogSettings, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged to `stream`, ours and the libraries'."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    shared: Sequence[structlog.typing.Processor] = [
        add_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering = Rendering(console)
    structlog.configure(
        processors=[EventLimits(), *shared, rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        _Formatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendering],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, add_left_out],
        )
    )
    handler.addFilter(ShortArguments())
    handler.addFilter(RefusedRequests())
    handler.addFilter(LogLimits())
    # Libraries never at debug: aiokafka 0.14 would log what it sends, the password among it.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
