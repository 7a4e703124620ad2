import socket
from collections.abc import Sequence

import httpx
import pytest

from consumer.config import HealthSettings
from consumer.observability.health import Health, serving


async def pages(health: Health) -> dict[str, tuple[int, str]]:
    """What the probes' pages say."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving(HealthSettings(host="127.0.0.1", port=port), health), httpx.AsyncClient() as client:
        answers = {page: await client.get(f"http://127.0.0.1:{port}{page}") for page in ("/livez", "/readyz")}
    return {page: (answer.status_code, answer.text) for page, answer in answers.items()}


@pytest.mark.parametrize(
    ("reasons", "complaints", "expected"),
    [
        ([], [], {"/livez": (200, "ok\n"), "/readyz": (200, "ok\n")}),
        (["kafka: away"], [], {"/livez": (200, "ok\n"), "/readyz": (503, "kafka: away\n")}),
        ([], ["a loop hangs"], {"/livez": (503, "a loop hangs\n"), "/readyz": (200, "ok\n")}),
    ],
)
async def test_each_probe_asks_its_own(
    reasons: Sequence[str], complaints: Sequence[str], expected: dict[str, tuple[int, str]]
) -> None:
    """
    What keeps work waiting is no reason to restart, and says so on another page.
    """
    health = Health([lambda: reasons], [lambda: complaints])

    assert await pages(health) == expected


async def test_a_degraded_replica_is_ready_and_says_so() -> None:
    """
    A rollout that mends what holds a part of the work must not wait for it.
    """
    health = Health(degraded=[lambda: ["kafka: uploads/3 is held at offset 7"]])

    assert (await pages(health))["/readyz"] == (200, "ok\ndegraded: kafka: uploads/3 is held at offset 7\n")
