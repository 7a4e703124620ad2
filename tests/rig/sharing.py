"""
Which tests may run beside each other: `make test` runs two processes, as most tests wait for a broker, not for a CPU.

A file's tests stay in one process, which makes its fixtures once. All that need brokers of their own share one process
too, so that those are started once.
"""

import pytest

BROKERS = frozenset({"kafka_cluster", "secured_kafka"})


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("dsession") and not hasattr(config, "workerinput"):
        return
    files = {item.nodeid.partition("::")[0] for item in items if BROKERS & set(getattr(item, "fixturenames", ()))}
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("brokers" if file in files else file))
