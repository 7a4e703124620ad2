"""What a scan remembers: nothing is paid for twice, whatever ends it."""

import asyncio
import datetime
import os
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from consumer.commands.scan.answers import Answer
from consumer.commands.scan.facts import differences, facts_of, in_words
from consumer.commands.scan.inputs import Inputs
from consumer.commands.scan.state import State, opened
from consumer.config import Config
from consumer.emulator import Fault
from consumer.errors import Misconfigured
from consumer.hits import Box, FigureHit, Hits, LibraryHit
from consumer.policy.schema import load_policy
from consumer.records import Decision, Label, ModerationResult
from tests.commands.scan.account import POLICY, Account, account, many, painted
from tests.commands.scan.killing import billed_again, killed, results
from tests.commands.scan.test_terminal import all_of
from tests.rig.children import running
from tests.rig.emulated import KEY
from tests.rig.replica import ROOT

TOLD: dict[str, Any] = {
    "image": "a.png", "decision": "pass", "risk_level": "none", "findings": [], "reasons": [], "error": None,
    "provider": {"billed_calls": 1}, "sha256": None,
}  # fmt: skip


FACTS: dict[str, Any] = {"policy": "p", "services": ["s"], "endpoint": "https://example.com"}
ANSWER = Answer(
    ModerationResult(
        service="s", request_id="r", risk_level="high", labels=(Label("violent", 97.4, "high"), Label("other")),
        hits=Hits(
            image_libraries=("a", "b"), public_figures=2, keywords=("c",), image_hits=(LibraryHit("a", image="1"),),
            figure_hits=(FigureHit("f", (Box(1, 2, 3, 4),)),),
        ),
        region="r", sent=1.5, took=0.25,
        attempts=2,
    ),
    sha256="0" * 64,
    frames=3,
)  # fmt: skip


def never(error: OSError) -> None:
    raise AssertionError(error)


def state(path: Path, failed: Any = never, **facts: Any) -> Any:
    return opened(path, {**FACTS, **facts}, failed)


async def kept(path: Path, *asked: str) -> bytes:
    """Keep results, and return the file."""
    async with state(path) as written:
        for each in asked:
            written.add(each, TOLD)
    return path.read_bytes()


async def found(path: Path, *asked: str, **of: Any) -> tuple[list[bool], State]:
    async with state(path, **of) as read:
        return [read.knows(each) and read.find(each) is not None for each in asked], read


@pytest.mark.parametrize("decision", Decision)
async def test_every_decision_is_kept(tmp_path: Path, decision: Decision) -> None:
    """
    An image with one that was not would be paid for again.
    """
    async with state(tmp_path / "s") as written:
        written.add("a", {**TOLD, "decision": decision.value})

    assert (await found(tmp_path / "s", "a"))[0] == [True]


async def test_what_was_kept_is_known(tmp_path: Path) -> None:
    """
    By what was asked; the file is its owner's alone.
    """
    path = tmp_path / "state"
    await kept(path, "a", "b")
    async with state(path) as written:
        written.add_answer("i", "s", 0, ANSWER)
        written.add_answer("i", "t", 2, Answer(None, "not_json", "r"))

    assert (await found(path, "a", "b", "c"))[0] == [True, True, False]
    async with state(path) as read:
        assert [read.answer("i", *each) for each in (("s", 0), ("t", 2), ("t", 0), ("s", 1))] == [
            ANSWER, Answer(None, "not_json", "r"), None, None,
        ]  # fmt: skip
        assert (read.paid("i"), read.paid("j")) == (2, 0)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_torn_line_is_dropped_wherever_it_ends(tmp_path: Path) -> None:
    """
    As a crash leaves it: the results before it are known, and what is kept next is whole.
    """
    path = tmp_path / "state"
    whole = await kept(path, "a", "b")
    second = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for length in range(second + 1, len(whole)):
        path.write_bytes(whole[:length])
        known, read = await found(path, "a", "b")
        assert (known, read.torn) == ([True, False], True)
        await kept(path, "c")
        assert (await found(path, "a", "c"))[0] == [True, True]


async def test_a_line_that_does_not_fit_on_the_disk_is_cut_off(tmp_path: Path) -> None:
    """
    Wherever the disk ends: what was kept before is known, and so is what is kept once there is room again.
    """
    whole = len(await kept(tmp_path / "whole", "a", "b"))
    sizes = [str(size) for size in range(whole - 1, whole - 200, -20)]
    for size in sizes:
        await kept(tmp_path / size, "a")
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL, str(tmp_path), *sizes, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await done.communicate()
    assert (done.returncode, told.decode()) == (0, "".join(f"{size} File too large\n" for size in sizes))
    for size in sizes:
        known, read = await found(tmp_path / size, "a", "b", "c")
        assert (known, read.torn) == ([True, False, True], False)


FULL = """
import asyncio, resource, sys
from pathlib import Path
from tests.commands.scan.test_state import TOLD, state

async def main():
    for size in sys.argv[2:]:
        async with state(Path(sys.argv[1], size), lambda error: print(size, error.strerror)) as written:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
            written.add("b", TOLD)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            written.add("c", TOLD)

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["pipe", "/dev/null"])
async def test_a_state_is_a_file(tmp_path: Path, what: str) -> None:
    """
    A pipe or a device remembers nothing, and holds nothing up.
    """
    path = tmp_path / what
    if what == "pipe":
        os.mkfifo(path)

    with pytest.raises(Misconfigured, match="is a pipe or a device, and must be a file"):
        await kept(path)


async def test_a_first_line_that_was_torn_is_written_anew(tmp_path: Path) -> None:
    """
    The scan ended before it had paid for anything.
    """
    path = tmp_path / "state"
    whole = await kept(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert await kept(path) == whole


@pytest.mark.parametrize("content", [b"a photo", b"a\nb\n", b'{"a": 1}\n', b"\x89PNG\r\n"])
async def test_another_file_is_not_touched(tmp_path: Path, content: bytes) -> None:
    """
    Whoever mistakes a photo for a state still has the photo.
    """
    path = tmp_path / "photo"
    path.write_bytes(content)

    with pytest.raises(Misconfigured, match="is no state of a scan; it is not touched"):
        await kept(path)

    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b'{"asked": 1}',
        b'{"asked": "a", "line": {"decision": "pass"}}',
        b'{"of": 1}',
        b'{"submission": "i", "service": "s", "answer": {}}',
        b'{"submission": "i", "service": "s", "answer": {"result": {"labels": 1, "hits": []}}}',
    ],
)
async def test_a_line_that_no_crash_leaves_behind_is_refused(tmp_path: Path, line: bytes) -> None:
    """
    It is named by its number.
    """
    path = tmp_path / "state"
    path.write_bytes(await kept(path, "a") + line + b"\n")

    with pytest.raises(Misconfigured, match="state:4: is no result of a scan"):
        await kept(path)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"policy": "q"}, "another policy"),
        ({"policy": "q", "services": ["s", "t"]}, "other services"),
        ({"endpoint": "http://127.0.0.1"}, "another endpoint"),
        ({"region": "r", "referer": "x"}, "another referer and another region"),
    ],
)
async def test_what_was_judged_otherwise_is_not_used(tmp_path: Path, others: dict[str, Any], told: str) -> None:
    """
    It is counted by what was otherwise, and stays for whoever has that. So are answers.
    """
    path = tmp_path / "state"
    await kept(path, "a")
    async with state(path) as written:
        written.add_answer("i", "s", 0, ANSWER)

    for _ in range(2):
        async with state(path, **others) as read:
            assert (read.knows("a"), read.answer("i", "s", 0), read.paid("i")) == (False, None, 0)
            assert {in_words(each): count for each, count in read.of_others.items()} == {told: 1}
            read.add("b", TOLD)
    async with state(path) as read:
        assert (read.knows("a"), read.knows("b"), read.answer("i", "s", 0)) == (True, False, ANSWER)
    assert path.read_bytes().count(b'"of"') == 2


async def test_what_failed_and_cost_nothing_is_asked_about_again(tmp_path: Path) -> None:
    """
    What was paid for is not.
    """
    path = tmp_path / "state"
    error = {"class": "fetch", "code": "timeout"}
    async with state(path) as written:
        written.add("free", {**TOLD, "error": error, "provider": {"billed_calls": 0}})
        written.add("paid", {**TOLD, "error": error, "provider": {"billed_calls": 1}})

    assert (await found(path, "free", "paid"))[0] == [False, True]


async def test_two_scans_cannot_have_one_state(tmp_path: Path) -> None:
    """
    The second is refused while the first runs.
    """
    path = tmp_path / "state"
    async with state(path):
        with pytest.raises(Misconfigured, match=f"another scan uses {path} at the moment"):
            await kept(path)
    await kept(path)


@pytest.mark.scenario
async def test_a_scan_with_a_state_pays_for_what_is_new(tmp_path: Path) -> None:
    """
    Lines of the others are written all the same, with the names that they have now; no URL's query is in the file.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, fire="red", sky="blue")
        path = tmp_path / "state"
        await provider.scan(provider.images, "--alone", "--state", path)
        painted(provider.images, fire="red", sky="blue", sea="cyan")
        (provider.images / "fire.png").touch()
        manifest = tmp_path / "list"
        line = {"image": f"{provider.images}/sky.png", "tenant": "shop", "id": "7"}
        again, first = await provider.scan(provider.images, "--alone", "--state", path)
        manifest.write_bytes(orjson.dumps(line))
        _, [listed] = await provider.scan("--manifest", manifest, "--alone", "--state", path)
        url = "https://user:password@127.0.0.1:9/gone?signature=secret"
        await provider.scan(url, "--alone", "--state", path)

    assert again.status == 0
    assert [line["decision"] for line in first] == ["block", "pass", "pass"]
    assert provider.billed == 5  # each file was written again, but its content is not looked at
    assert (listed["from_state"], listed["tenant"], listed["id"]) == (True, "shop", "7")
    assert b"secret" not in path.read_bytes()
    assert b"password" not in path.read_bytes()


async def test_another_policy_asks_again_and_says_so(tmp_path: Path) -> None:
    """
    What the first policy was told is not lost.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, sky="blue")
        other = tmp_path / "other.yaml"
        other.write_text(yaml.safe_dump({**POLICY, "version": 2}))
        arguments = (provider.images, "--alone", "--state", tmp_path / "state")
        await provider.scan(*arguments)
        ended, [line] = await provider.scan(*arguments, "--policy", other)
        _, [again] = await provider.scan(*arguments)

    told = f"{tmp_path}/state: 1 result is of another policy, and not used: such images are asked about again"
    assert told in " ".join(ended.errors.split())
    assert (line["from_state"], again["from_state"], provider.billed) == (False, True, 2)


def let_firefighters_pass(provider: Account) -> None:
    """Write a policy by which one tenant's explosions are harmless."""
    rule = {"id": "fires", "match": {"label": ["violent_*"]}, "then": "pass", "why": {"owner": "o", "reason": "r"}}
    policy = {**POLICY, "overlays": [{"when": {"tenant": ["firefighters"]}, "rules": [rule]}]}
    (provider.folder / "policy.yaml").write_text(yaml.safe_dump(policy))


@pytest.mark.scenario
async def test_what_was_decided_for_one_tenant_is_not_for_another(tmp_path: Path) -> None:
    """
    Where the policy decides by them; where it does not, a result is everybody's. Nor is it for the time after a rule.
    """
    path, manifest = tmp_path / "state", tmp_path / "list"
    async with account(tmp_path) as provider:
        let_firefighters_pass(provider)
        painted(provider.images, fire="red")
        told = []
        for tenant in ("firefighters", "shop", "firefighters"):
            manifest.write_bytes(orjson.dumps({"image": f"{provider.images}/fire.png", "tenant": tenant}))
            ended, lines = await provider.scan("--manifest", manifest, "--alone", "--state", path)
            assert ended.status == 0, ended.errors
            told.append((lines[0]["decision"], lines[0]["from_state"]))

    assert told == [("pass", False), ("block", False), ("pass", True)]


def test_a_rule_that_expires_makes_results_old(tmp_path: Path) -> None:
    """
    What it let pass is decided again.
    """
    rule = {
        "id": "fires", "match": {"label": ["violent_*"]}, "then": "pass",
        "why": {"owner": "o", "reason": "r", "expires": "2026-01-31"},
    }  # fmt: skip
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump({**POLICY, "rules": [rule]}))
    inputs = Inputs(Config(), load_policy(path), None, 1, ())
    day = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC).timestamp()

    before, on_its_day, after = (facts_of(inputs, day + hours * 3_600) for hours in (-1, 23, 24))

    assert differences(before, on_its_day) == frozenset()
    assert in_words(differences(on_its_day, after)) == "a time before a rule of the policy expired"


def begun(provider: Account, *arguments: object, output: Any = asyncio.subprocess.DEVNULL) -> Any:
    """A scan of 20 calls a second, in a process of its own."""
    command = provider.arguments(provider.images, "--qps", 20, *arguments)
    return running([sys.executable, "-m", "consumer", *command], environment=KEY, output=output)


@pytest.mark.scenario
async def test_after_a_sigkill_nothing_is_paid_for_twice_but_what_was_in_flight(tmp_path: Path) -> None:
    """
    And every image is told of by the scan that goes on.
    """
    path = tmp_path / "state"
    async with account(tmp_path, latency=0.3) as provider:
        many(provider.images, 60)
        async with begun(provider, "--state", path) as process:
            await provider.until_billed(15)
            at_its_end = await killed(provider, process, path)
        remembered = len(at_its_end.remembered)
        ended, lines = await provider.scan(provider.images, "--qps", 50, "--state", path)
        stats = provider.emulator.stats()

    assert (ended.status, len(lines)) == (0, 60)
    assert 0 < remembered <= len(at_its_end.called) < 60
    assert at_its_end.lost <= at_its_end.in_flight  # all that had ended before is remembered
    assert billed_again(provider) == at_its_end.lost
    assert stats["billed_again"] == len(at_its_end.lost)
    assert stats["billed"] == 60 + stats["billed_again"]
    assert sum(line["from_state"] for line in lines) == remembered


async def test_an_image_of_two_tenants_is_judged_for_each(tmp_path: Path) -> None:
    """
    Each line has what the policy says of its tenant; a scan that goes on asks for the one that is left alone.
    """
    path, manifest = tmp_path / "state", tmp_path / "list"
    async with account(tmp_path) as provider:
        let_firefighters_pass(provider)
        painted(provider.images, fire="red")
        both = [
            orjson.dumps({"image": f"{provider.images}/fire.png", "tenant": tenant}, option=orjson.OPT_APPEND_NEWLINE)
            for tenant in ("firefighters", "shop")
        ]
        arguments = ("--manifest", manifest, "--alone", "--state", path)
        manifest.write_bytes(both[0])
        await provider.scan(*arguments)
        manifest.write_bytes(b"".join(both))
        _, [plan] = await provider.scan(*arguments, "--dry-run")
        runs = [await provider.scan(*arguments) for _ in range(2)]
        billed = provider.billed

    told = [{line["tenant"]: (line["decision"], line["from_state"]) for line in lines} for _, lines in runs]
    assert told == [
        {"firefighters": ("pass", True), "shop": ("block", False)},
        {"firefighters": ("pass", True), "shop": ("block", True)},
    ]
    assert (plan["images"], plan["from_state"], plan["calls"], billed) == (2, 1, 1, 2)


@pytest.mark.scenario
async def test_what_one_of_two_services_has_answered_is_not_paid_for_twice(tmp_path: Path) -> None:
    """
    Also where a SIGKILL comes before the second has; the results are the same, and the price is of this scan's calls.
    """
    path = tmp_path / "state"
    away = {
        "match": {"service": "aigcDetector_global"},
        "what": {"gateway_code": "ServiceUnavailable", "http_status": 503},
    }
    services = ["baselineCheck_global", "aigcDetector_global"]
    async with account(tmp_path, faults=[Fault.model_validate(away)]) as provider:
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump({**POLICY, "services": services}))
        painted(provider.images, fire="red", skin="orange", sky="blue")
        async with begun(provider, "--state", path) as process:
            await provider.until_billed(3)
            async with asyncio.timeout(20):
                while path.read_bytes().count(b'"answer"') < 3:
                    await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
        provider.emulator.faults.replace([])
        _, [plan] = await provider.scan(provider.images, "--dry-run", "--state", path)
        ended, lines = await provider.scan(provider.images, "--alone", "--state", path, "--price", 1000)
        stats = provider.emulator.stats()

    assert (plan["images"], plan["calls"]) == (3, 3)
    assert (ended.status, stats["billed"], stats["billed_again"]) == (0, 6, 0)
    assert [line["decision"] for line in lines] == ["block", "review", "pass"]
    assert [line["provider"]["billed_calls"] for line in lines] == [2, 2, 2]
    assert all(line["sha256"] and len(line["provider"]["calls"]) == 2 for line in lines)
    assert "3 calls billed = 3.00" in ended.errors


@pytest.mark.scenario
async def test_a_disk_that_is_full_for_a_while_costs_what_did_not_fit(tmp_path: Path) -> None:
    """
    The scan ends; what it had kept is known to the next one, and what did not fit is told all the same.
    """
    path = tmp_path / "state"
    async with account(tmp_path) as provider:
        many(provider.images, 30)
        command = [sys.executable, "-m", "consumer", *provider.arguments(provider.images, "--qps", 50)]
        limited = ["sh", "-c", f'ulimit -f 16; exec "$@" --state {path} 2>{tmp_path}/errors', "sh", *command]
        reader, writer = os.pipe()
        async with running(limited, environment=KEY, output=writer) as process:
            os.close(writer)
            told = await asyncio.to_thread(all_of, reader)
            status = await process.wait()
        first, paid = len(results(path)), provider.billed
        ended, lines = await provider.scan(provider.images, "--alone", "--state", path)

    assert status == 3
    assert "the results cannot be written: File too large" in (tmp_path / "errors").read_text()
    assert 0 < first < paid < 30
    assert len(told.splitlines()) == paid
    assert (ended.status, len(lines), provider.billed) == (0, 30, paid + 30 - first)
    assert "was not whole" not in ended.errors


@pytest.mark.scenario
@pytest.mark.parametrize(
    ("number", "services"),
    [(signal.SIGINT, ["baselineCheck_global"]), (signal.SIGTERM, ["baselineCheck_global", "aigcDetector_global"])],
)
async def test_after_a_signal_calls_in_flight_end_and_nothing_is_paid_for_twice(
    tmp_path: Path, number: signal.Signals, services: list[str]
) -> None:
    """
    It says what is left and how to go on, and its exit status is 3. An image of which one service has answered is
    asked about by the others.
    """
    path, errors = tmp_path / "state", tmp_path / "errors"
    async with account(tmp_path, latency=0.3) as provider:
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump({**POLICY, "services": services}))
        many(provider.images, 60)
        with errors.open("wb") as output:
            async with begun(provider, "--state", path, "--json", tmp_path / "lines", output=output) as process:
                await provider.until_billed(15)
                process.send_signal(number)
                status = await process.wait()
        first = len(results(path))
        told = errors.read_text()
        ended, lines = await provider.scan(provider.images, "--qps", 50, "--state", path)
        stats = provider.emulator.stats()

    assert status == 3
    assert f"not finished: it was interrupted. {60 - first} of 60 images are left; the same command goes on" in told
    assert (ended.status, len(lines), stats["billed"], stats["billed_again"]) == (0, 60, 60 * len(services), 0)
    assert 15 <= first * len(services) < 60 * len(services)
    assert len((tmp_path / "lines").read_bytes().splitlines()) == first


@pytest.mark.scenario
@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
async def test_a_second_signal_waits_for_nothing(tmp_path: Path, number: signal.Signals, ends: int) -> None:
    """
    A call that hangs holds up nobody who wants it to end; what was judged is remembered.
    """
    path, errors = tmp_path / "state", tmp_path / "errors"
    hangs = Fault.model_validate({"match": {"object": "*"}, "what": {"never_answer": True}})
    async with account(tmp_path, {"provider": {"read_timeout": 60.0}}) as provider:
        many(provider.images, 20)
        with errors.open("wb") as output:
            async with begun(provider, "--state", path, output=output) as process:
                await provider.until_billed(5)
                provider.emulator.faults.add(hangs)
                async with asyncio.timeout(20):
                    while not provider.emulator.stats()["in_progress"]:
                        await asyncio.sleep(0.01)
                    process.send_signal(number)
                    while b"again ends at once" not in errors.read_bytes():
                        await asyncio.sleep(0.01)
                    process.send_signal(number)
                    status = await process.wait()
        kept = len(results(path))

    assert status == ends
    assert kept == provider.billed
