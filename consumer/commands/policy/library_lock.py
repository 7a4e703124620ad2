"""The ids of libraries that a policy may name, as a file that is kept beside it: a lock of `libraries apply`."""

from collections.abc import Collection
from pathlib import Path

from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.yaml_file import read_yaml
from consumer.libraries.lock import Lock


def read_lock(path: Path) -> Collection[str]:
    """
    Read the ids.

    Raises:
        Misconfigured: with every problem.
    """
    file = read_yaml(path)
    return {library.id for library in validated(Lock, file.tree, Origins(file)).libraries}
