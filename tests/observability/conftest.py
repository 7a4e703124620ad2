"""Logging belongs to the process: a test that sets it up leaves it as it was."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from consumer.observability.log_context import say_in_every_line


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Put back handlers, level, and what every line says."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.reset_defaults()
    say_in_every_line()
