"""
Which tests may run beside each other: `make test` runs three processes and `make scenarios` two, as most tests wait for
a broker, not for a CPU.

A file's tests stay in one process, which makes its fixtures once. All that need brokers of their own share one process
too, so that those are started once. Groups are given out in the order in which they stand here, the longest first:
else one process would end alone with them.
"""

import pytest

BROKERS = frozenset({"kafka_cluster", "secured_kafka"})
LONG = (
    "tests/demo/",
    "tests/deployment/",
    "tests/commands/scan/",
    "tests/docs/test_verifying.py",
    "tests/rig/",
    "tests/contract/",
    "tests/helm/",
)
"""Where files have few tests that take long. (pytest-xdist's own order has those with the most tests first.)"""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist takes the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("dsession") and not hasattr(config, "workerinput"):
        return
    files = {_file(item) for item in items if BROKERS & set(getattr(item, "fixturenames", ()))}
    for item in items:
        file = _file(item)
        item.add_marker(pytest.mark.xdist_group("brokers" if file in files else file))
    items.sort(key=lambda item: (_file(item) not in files, not _file(item).startswith(LONG)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
