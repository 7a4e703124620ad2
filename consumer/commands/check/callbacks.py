"""Whether callbacks of the provider can be told from forged ones: reads the seed's file, and says nothing of it."""

from collections.abc import Iterator

from consumer.commands.check.findings import Finding, ok, refused
from consumer.config.scan_tasks import TaskSettings, read_seed
from consumer.errors import Misconfigured


def callbacks(settings: TaskSettings) -> Iterator[Finding]:
    """Look at the seed, where callbacks are asked for. Whether the provider reaches `url` no call can tell."""
    called_back = settings.called_back
    if called_back is None:
        return
    try:
        read_seed(called_back)
    except Misconfigured as error:
        yield from (refused("callbacks", problem) for problem in error.problems)
        return
    yield ok(
        "callbacks", f"checksums are made with the seed in {called_back.seed_file}; results are polled all the same"
    )
