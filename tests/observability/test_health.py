import contextlib
import socket
from collections.abc import Sequence

import httpx
import pytest
import structlog

from consumer.config.operation import HealthSettings
from consumer.errors import Misconfigured
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


@pytest.mark.parametrize(
    ("host", "callers", "shown"),
    [
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1:"),
        ("0.0.0.0", ["127.0.0.1"], "0.0.0.0:"),
        ("::1", ["[::1]"], "[::1]:"),
        ("::", ["127.0.0.1", "[::1]"], "[::]:"),
        ("[::]", ["127.0.0.1", "[::1]"], "[::]:"),
    ],
)
async def test_pages_are_served_where_they_are_asked_to_be(host: str, callers: Sequence[str], shown: str) -> None:
    """
    `::` is every address, those of IPv4 too; an address of IPv6 is logged in brackets, so that it can be called.
    """
    with structlog.testing.capture_logs() as logs:
        async with serving(HealthSettings(host=host, port=0), Health()), httpx.AsyncClient() as client:
            port = logs[-1]["address"].rpartition(":")[2]
            answers = [await client.get(f"http://{caller}:{port}/livez") for caller in callers]

    assert [answer.status_code for answer in answers] == [200] * len(callers)
    assert logs[-1]["address"] == f"{shown}{port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0"])
async def test_a_taken_port_is_one_line_that_names_the_setting(host: str) -> None:
    """
    It is the configuration's fault, and says where.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as told:
            await contextlib.AsyncExitStack().enter_async_context(
                serving(HealthSettings(host=host, port=port), Health())
            )

    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert told.value.problems == (f"health.port: {shown} is taken: name another port, or 0 for a free one",)


async def test_a_host_that_is_not_this_machines_is_one_line() -> None:
    """
    It names the setting.
    """
    with pytest.raises(Misconfigured) as told:
        await contextlib.AsyncExitStack().enter_async_context(
            serving(HealthSettings(host="192.0.2.1", port=0), Health())
        )

    assert told.value.problems == ("health.host: 192.0.2.1 is no address of this machine",)
