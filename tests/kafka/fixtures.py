"""
pytest fixtures for a real Kafka, and what happens to their tests on a machine that cannot run one.

A test that asks for one of `FIXTURES`, through whatever fixtures, gets the marker `kafka`. Without Java or
Maven such tests are skipped, and the end of the run says loudly which and why; with CI=true they fail instead.
"""

import os
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.kafka.cluster import KafkaCluster
from tests.kafka.jars import missing_tools
from tests.kafka.secured import SecuredKafka, secured

FIXTURES = {"kafka", "kafka_cluster", "secured_kafka"}
LEFT_OUT = pytest.StashKey[Counter[str]]()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka() -> AsyncIterator[KafkaCluster]:
    """A broker for the whole session. A test that stops or freezes brokers starts its own."""
    async with KafkaCluster.start(brokers=1) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka_cluster() -> AsyncIterator[KafkaCluster]:
    """Three brokers for the whole session. A test that stops or freezes one brings it back."""
    async with KafkaCluster.start(brokers=3) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredKafka]:
    """One broker for the whole session that asks who is there."""
    async with secured(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic name that nobody else has; also good for a group, and as a prefix for more names. Creates nothing."""
    return f"{re.sub(r'[^a-zA-Z0-9]+', '-', request.node.name)[:80]}-{uuid.uuid4().hex[:8]}"


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


def pytest_collection_finish(session: pytest.Session) -> None:
    needing = [item for item in session.items if item.get_closest_marker("kafka")]
    missing = missing_tools() if needing else []
    if not missing or os.environ.get("CI") == "true":  # in CI the fixtures fail, saying what is missing
        return
    session.config.stash[LEFT_OUT] = Counter(item.nodeid.partition("::")[0] for item in needing)
    for item in needing:
        item.add_marker(pytest.mark.skip(reason=f"needs a real Kafka; missing: {'; '.join(missing)}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(LEFT_OUT, None)
    if left_out is None:
        return
    terminalreporter.section("NOT TESTED: what needs a real Kafka", sep="!", red=True, bold=True)
    for tool in missing_tools():
        terminalreporter.line(f"Missing on this machine: {tool}")
    terminalreporter.line(f"Left out: {left_out.total()} tests")
    for suite, tests in left_out.items():
        terminalreporter.line(f"  {tests:4}  {suite}")
    terminalreporter.line("To run them, on Debian and Ubuntu:")
    terminalreporter.line("  apt-get install default-jre-headless maven && make test")
