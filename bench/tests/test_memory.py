"""The worst inputs and the memory that the service takes; `python -m bench.memory` has all of them."""

from pathlib import Path

import pytest

from bench.memory.cases import CASES
from bench.memory.measuring import measure
from tests.rig.kafka import KafkaCluster

pytestmark = pytest.mark.scenario  # services that read what is worst for them


@pytest.mark.parametrize("name", ["bomb-zstd", "refused-tree", "gzip-answers"])
async def test_memory_keeps_the_bound_of_the_configuration(
    kafka: KafkaCluster, topic: str, tmp_path: Path, name: str
) -> None:
    """What is large only unpacked or parsed takes no more memory than the sizing table says, and has its outcome."""
    measured = await measure(kafka, CASES[name], tmp_path, topic[-8:])
    assert not measured.problems
