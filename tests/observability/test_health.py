import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from pydantic import ValidationError

from consumer.config.operation import HealthSettings
from consumer.errors import Misconfigured
from consumer.observability.health import Health, RenderedMetrics, serving

LOOPBACK = HealthSettings(host="127.0.0.1", port=0, metrics_port=0)


@contextlib.asynccontextmanager
async def served(
    health: Health, registry: CollectorRegistry = REGISTRY, settings: HealthSettings = LOOPBACK
) -> AsyncIterator[tuple[str, str]]:
    """Serve the pages. Yields the base URLs of probes and metrics."""
    async with serving(settings, health, registry) as addresses:
        yield f"http://{addresses.probes}", f"http://{addresses.metrics}"


async def pages(health: Health) -> dict[str, tuple[int, str]]:
    """What the probes' pages say."""
    async with served(health) as (probes, _), httpx.AsyncClient() as client:
        answers = {page: await client.get(probes + page) for page in ("/livez", "/readyz")}
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


async def test_a_warning_stands_below_everything_else() -> None:
    """
    Nothing waits for what it says; what does comes first.
    """
    health = Health(degraded=[lambda: ["kafka: held"]], warnings=[lambda: ["policy: refused"]])

    assert (await pages(health))["/readyz"] == (200, "ok\ndegraded: kafka: held\nwarning: policy: refused\n")


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
    `::` is every address, those of IPv4 too; an address of IPv6 is told in brackets, so that it can be called.
    """
    settings = HealthSettings(host=host, port=0, metrics_host=host, metrics_port=0)
    async with serving(settings, Health()) as addresses, httpx.AsyncClient() as client:
        port, metrics_port = (address.rpartition(":")[2] for address in addresses)
        answers = [await client.get(f"http://{caller}:{port}/livez") for caller in callers]
        answers += [await client.get(f"http://{caller}:{metrics_port}/metrics") for caller in callers]

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert addresses == (f"{shown}{port}", f"{shown}{metrics_port}")


@pytest.mark.parametrize("prefix", ["", "metrics_"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0"])
async def test_a_taken_port_is_one_line_that_names_the_setting(host: str, prefix: str) -> None:
    """
    It is the configuration's fault, and says where.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = taken.getsockname()[1]
        given = {"port": 0, "metrics_port": 0, f"{prefix}host": host, f"{prefix}port": port}
        with pytest.raises(Misconfigured) as told:
            await contextlib.AsyncExitStack().enter_async_context(
                serving(HealthSettings.model_validate(given), Health())
            )

    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert told.value.problems == (f"health.{prefix}port: {shown} is taken: name another port, or 0 for a free one",)


@pytest.mark.parametrize("name", ["host", "metrics_host"])
async def test_a_host_that_is_not_this_machines_is_one_line(name: str) -> None:
    """
    It names the setting.
    """
    given = {"port": 0, "metrics_port": 0, name: "192.0.2.1"}
    with pytest.raises(Misconfigured) as told:
        await contextlib.AsyncExitStack().enter_async_context(serving(HealthSettings.model_validate(given), Health()))

    assert told.value.problems == (f"health.{name}: 192.0.2.1 is no address of this machine",)


async def test_probes_and_metrics_have_a_port_each() -> None:
    """
    Neither serves the other's pages, and each says where they are; metrics are on loopback unless told otherwise.
    """
    async with served(Health()) as (probes, metrics), httpx.AsyncClient() as client:
        status = {
            (port, page): (await client.get(f"{url}{page}")).status_code
            for port, url in {"probes": probes, "metrics": metrics}.items()
            for page in ("/livez", "/readyz", "/metrics", "/offsets")
        }
        moved = await client.get(f"{probes}/offsets")

    assert {asked for asked, code in status.items() if code == 200} == {
        ("probes", "/livez"), ("probes", "/readyz"), ("metrics", "/metrics"), ("metrics", "/offsets"),
    }  # fmt: skip
    assert set(status.values()) == {200, 404}
    assert moved.text == "/offsets is served on health.metrics_port\n"
    assert HealthSettings().metrics_host == "127.0.0.1"


async def test_a_probes_answer_is_short() -> None:
    """
    However much there is to say, and whoever wrote it: the first reasons, each cut, without what may be a credential.
    """
    reasons = [f"provider: https://user:canary@host/?{'x' * 5_000}", "y" * 5_000, *map(str, range(500))]
    answer = (await pages(Health([lambda: reasons])))["/readyz"][1].splitlines()

    assert answer[0] == "provider: https://…"
    assert answer[1] == "y" * 500 + "…"
    assert answer[2:] == [*map(str, range(18)), "… and 482 more, which the log names"]


async def test_metrics_are_rendered_once_a_second() -> None:
    """
    Whoever asks more often is given the same page.
    """
    registry, moment = CollectorRegistry(), [0.0]
    counter = Counter("asked", "Counted.", registry=registry)
    rendered = RenderedMetrics(registry, lambda: moment[0])

    first = rendered.page()
    counter.inc()
    moment[0] = 0.99
    assert rendered.page() is first
    moment[0] = 1.0
    assert b"asked_total 1.0" in rendered.page()


async def test_what_a_page_meets_is_told_without_its_text() -> None:
    """
    A page that fails answers 500, and the log has the place once, however often it is asked.
    """

    def fail() -> list[str]:
        raise ValueError("canary")

    async with served(Health([fail])) as (probes, _), httpx.AsyncClient() as client:
        with structlog.testing.capture_logs() as logs:
            codes = [(await client.get(f"{probes}/readyz")).status_code for _ in range(3)]

    assert codes == [500] * 3
    assert [(line["event"], line["since_last"]) for line in logs] == [("health.request_refused", {"failed": 1})]
    assert any(frame.endswith(" fail") for frame in logs[0]["place"])
    assert "canary" not in str(logs)


def test_one_port_for_both_is_refused() -> None:
    """
    The message names both settings.
    """
    with pytest.raises(ValidationError, match="metrics_port: 8080 is the port of probes: name another"):
        HealthSettings(metrics_port=8080)
