"""
Logs: one event name for each thing that happens, with fields. JSON lines, or coloured text on a terminal.

Events are past-tense names such as `partitions.assigned`. What other libraries log takes the same way out.
"""

import logging
import re
import sys
from typing import Any, TextIO

import orjson
import structlog

from consumer.config import LogSettings

# Without locals: they hold keys, URLs and whatever else a frame was working with.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))

# A query may be a presigned one, which is a credential; other people's exceptions tell whole URLs.
_QUERY = re.compile(r"""(\w+://[^\s"'\\?#]*)\?[^\s"'\\]*""")


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def set_up_logs(settings: LogSettings, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged to `stream`, ours and the libraries'."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Any] = (  # of processors; the last is given the line that the one before it makes
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [_tracebacks, structlog.processors.JSONRenderer(serializer=_dumps)]
    )
    rendering.append(lambda _logger, _method, line: _QUERY.sub(r"\1?…", line) if "://" in line else line)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    # Libraries never at debug: aiokafka 0.14 would log what it sends, the password among it.
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
