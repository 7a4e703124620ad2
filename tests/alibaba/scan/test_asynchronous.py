"""The 1.0 API, asked asynchronously: what counts as the result of an image, and what is paid for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumer.alibaba.scan.answers import Tasks
from consumer.alibaba.scan.asynchronous import AsyncScanClient, Callback, ScanRegion, ScanResults, TakenOver
from consumer.alibaba.scan.results import finished
from consumer.alibaba.scan.tasks import Asking
from consumer.clock import SystemClock
from consumer.config.credentials import Credentials
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    Malformed,
    ProviderFailed,
    ResultGone,
    Throttled,
    Unreachable,
)
from consumer.http.exchange import Exchanges, Timeouts
from consumer.journal.tasks import KnownTasks, Task
from consumer.keys import FixedKeys
from consumer.locations import ByObject
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.copies import Copy
from consumer.moderation.open_tasks import OpenTasks
from consumer.moderation.tasks import AwaitedTasks, Polling, TaskResult
from consumer.records import ModerationResult, Partition
from tests.moderation.requests import context, request

KEY = Credentials(access_key_id="id", access_key_secret=SecretStr("secret"))
SCENES = ("porn", "ad")
IMAGE, TASK_ID = "image-1", "img5RFn$R@-1u3eGE"


def entry(code: Any = 200, **more: Any) -> dict[str, Any]:
    """What is said of a finished task."""
    results = [{"scene": scene, "label": "normal", "suggestion": "pass", "rate": 99.9} for scene in SCENES]
    return {"code": code, "msg": "m", "taskId": TASK_ID, "dataId": IMAGE, "url": "u", "results": results, **more}


def answered(*data: Any, code: Any = 200) -> dict[str, Any]:
    return {"code": code, "msg": "m", "requestId": "R-1", "data": list(data)}


SUBMITTED = answered({"code": 200, "msg": "OK", "taskId": TASK_ID, "dataId": IMAGE, "url": "u"})
PROCESSING = answered({"code": 280, "msg": "PROCESSING - queue", "taskId": TASK_ID, "url": "u"})


class Wire(httpx.AsyncBaseTransport):
    """Gives written answers, in their order and the last one for ever, by the path that is called."""

    def __init__(self, submission: Any, *results: Any) -> None:
        self.answers = {"/green/image/asyncscan": [submission], "/green/image/results": list(results)}
        self.bodies: dict[str, list[Any]] = {path: [] for path in self.answers}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.bodies[path].append(orjson.loads(await request.aread()))
        answers = self.answers[path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return httpx.Response(200, content=orjson.dumps(answer))


class Rig:
    """A region whose answers are written here."""

    def __init__(self, wire: Wire, callback: Callback | None = None) -> None:
        clock = SystemClock()
        self.region = ScanRegion(
            exchanges=Exchanges(wire, Timeouts(connect=1.0, read=5.0), clock), base_url="http://127.0.0.1:9",
            name="ap-southeast-1", keys=FixedKeys(KEY), clock=clock, asking=Asking(SCENES),
        )  # fmt: skip
        self.tasks = AwaitedTasks(
            ScanResults(self.region), OpenTasks(0.01, 60.0), Polling(ids=50, gap=0.001), clock
        )  # fmt: skip
        self.recorded: list[tuple[Task, CallContext, int]] = []
        self.known = KnownTasks()
        self._wire = wire
        self.client = AsyncScanClient(self.region, self.tasks, self._record, callback)

    async def _record(self, task: Task, call: CallContext) -> None:
        self.recorded.append((task, call, len(self._wire.bodies["/green/image/results"])))

    async def ask(self, asked: ModerationRequest | None = None, call: CallContext | None = None) -> ModerationResult:
        taken_over = TakenOver(self.client, self.region, self.tasks, self.known)
        async with self.tasks.running(), asyncio.timeout(10):
            return await taken_over.ask(asked or request(IMAGE), call or context())

    def paid_before(self, **changes: Any) -> None:
        """Let a predecessor have asked the same, but for `changes`."""
        question = self.region.question(request(IMAGE), context())
        task = Task(id=TASK_ID, question=question._replace(**changes), sent=1_700_000_000.0)
        self.known.note(task, Partition("uploads", 0), 7)


async def test_a_task_is_written_down_before_its_result_is_looked_for() -> None:
    """One that is under way is asked for again; the result is read as that of a call."""
    wire = Wire(SUBMITTED, PROCESSING, PROCESSING, answered(entry()))
    rig = Rig(wire)

    result = await rig.ask()

    assert [label.name for label in result.labels] == ["v1:porn:normal", "v1:ad:normal"]
    assert (result.region, result.billed, result.request_id) == ("ap-southeast-1", 2, "R-1")
    ((task, call, looked),) = rig.recorded
    assert (task.id, task.question, looked) == (TASK_ID, rig.region.question(request(IMAGE), call), 0)
    assert wire.bodies["/green/image/results"] == [[TASK_ID]] * 3
    (body,) = wire.bodies["/green/image/asyncscan"]
    assert [task["dataId"] for task in body["tasks"]] == [IMAGE]
    assert "callback" not in body


async def test_results_of_many_tasks_are_read_however_much_they_say_of_each() -> None:
    """
    An answer's bound is a bound for each image: what is too much for one is not for fifty.
    """
    ids = [f"{number:02}{TASK_ID}" for number in range(50)]
    said = [entry(taskId=each, extras={"hitContext": "x" * 90_000}) for each in ids]

    found = await ScanResults(Rig(Wire(SUBMITTED, answered(*said))).region).results(ids)

    assert [each.said["taskId"] for each in found.values() if isinstance(each, TaskResult)] == ids
    one = answered(entry(extras={"hitContext": "x" * 90_000 * 50}))
    with pytest.raises(ProviderFailed, match="too_large"):
        await ScanResults(Rig(Wire(SUBMITTED, one)).region).results([TASK_ID])


async def test_a_callback_is_asked_for_with_its_seed() -> None:
    """And the seed is shown nowhere."""
    wire = Wire(SUBMITTED, answered(entry()))
    callback = Callback("https://m.example.com/callback", "a_seed")

    await Rig(wire, callback).ask()

    (body,) = wire.bodies["/green/image/asyncscan"]
    assert (body["callback"], body["seed"]) == ("https://m.example.com/callback", "a_seed")
    assert "a_seed" not in repr(callback)


@pytest.mark.parametrize(
    ("submission", "failure"),
    [
        (answered(code=588), Throttled), (answered(code=596), AccountRefused), (answered(code=500), ProviderFailed),
        (answered({"code": 588, "dataId": IMAGE}), Throttled), (answered({"code": 589}), ImageRefused),
        (answered({"code": 200, "dataId": IMAGE}), Malformed), (answered({"code": 200, "taskId": "a b"}), Malformed),
        (answered({"code": 200, "taskId": TASK_ID, "dataId": "image-2"}), Malformed), (answered(), Malformed),
    ],
)  # fmt: skip
async def test_a_submission_that_makes_no_task_is_sorted_as_any_call(
    submission: Any, failure: type[CallFailed]
) -> None:
    """Nothing is written down, and no result is looked for."""
    rig = Rig(Wire(submission, answered(entry())))

    with pytest.raises(failure):
        await rig.ask()
    assert rig.recorded == []


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (entry(404), ResultGone), (entry(594), ResultGone), (entry(592), Unreachable), (entry(590), ImageRefused),
        (entry(500), ProviderFailed), (entry(dataId="image-2"), Malformed), (entry(dataId=None), Malformed),
        (entry(results=[]), Malformed), (entry(results=entry()["results"][:1]), Malformed), (entry("200"), Malformed),
    ],
)  # fmt: skip
async def test_a_result_counts_only_if_it_is_whole_and_of_this_image(result: Any, failure: type[CallFailed]) -> None:
    """404 and 594 say nothing of the image here: the task is not known any more, and was paid for in vain."""
    with pytest.raises(failure) as raised:
        await Rig(Wire(SUBMITTED, answered(result))).ask()
    assert raised.value.units == len(SCENES)
    assert raised.value.billed == ("yes" if failure in (ResultGone, Malformed) else "no")


async def test_what_a_predecessor_has_paid_for_is_not_paid_for_again() -> None:
    """Its result is looked for at once, and nothing is submitted or written down."""
    wire = Wire(SUBMITTED, answered(entry()))
    rig = Rig(wire)
    rig.paid_before()

    assert (await rig.ask()).billed == 2
    assert wire.bodies["/green/image/asyncscan"] == []
    assert rig.recorded == []


@pytest.mark.parametrize(
    "other", [{"asked": ("porn",)}, {"region": "cn-shanghai"}, {"submission": "image-2"}, {"sha256": "0" * 64}]
)
async def test_a_task_with_another_question_is_not_taken_over(other: dict[str, Any]) -> None:
    """Its result would not answer what is asked now."""
    wire = Wire(SUBMITTED, answered(entry()))
    rig = Rig(wire)
    rig.paid_before(**other)

    await rig.ask()
    assert len(wire.bodies["/green/image/asyncscan"]) == 1


@pytest.mark.parametrize("result", [entry(594), entry(404), entry(dataId="image-2"), entry(results=[])])
async def test_a_task_that_cannot_be_taken_over_is_asked_about_anew(result: Any) -> None:
    """Once it is known to be in vain the next attempt submits the image, and the task is forgotten."""
    wire = Wire(SUBMITTED, answered(result), answered(entry()))
    rig = Rig(wire)
    rig.paid_before()

    with pytest.raises(ResultGone):
        await rig.ask()
    await rig.ask()
    assert len(wire.bodies["/green/image/asyncscan"]) == 1


def test_an_uploaded_image_is_another_question_with_other_bytes() -> None:
    """A file that was written over between two processes is not judged by the result of the one before."""
    rig = Rig(Wire(SUBMITTED))
    location = ByObject("store", "upload/1.jpg", None)
    asked = replace(request(IMAGE), location=location)
    questions = []
    for digest in ("a" * 64, "b" * 64):
        call = context()
        call.copies.add("ap-southeast-1", Copy(location, 1e12, digest, 1), 2)
        questions.append(rig.region.question(asked, call))

    assert [(each.picture, each.sha256) for each in questions] == [(2, "a" * 64), (2, "b" * 64)]


NAMES = st.sampled_from(["a", "b", "c", "d", 7, None])
CODES = st.sampled_from([200, 280, 404, 500, 594, "200", None, True])


@given(st.lists(st.tuples(NAMES, CODES), max_size=8), st.sets(st.sampled_from("abc")))
def test_a_finished_task_was_asked_for_and_is_named_once(said: Sequence[tuple[Any, Any]], asked: set[str]) -> None:
    """
    What is under way is left out; of a task that is named twice neither counts; a stranger's is passed over.
    """
    found = finished(Tasks("R", tuple({"taskId": name, "code": code} for name, code in said)), asked)

    for name in asked:
        codes = [code for each, code in said if each == name]
        if not codes or codes == [280]:
            assert name not in found
        elif len(codes) > 1:
            assert isinstance(found[name], Malformed)
        elif codes[0] in (404, 594):
            assert isinstance(found[name], ResultGone)
        else:
            assert isinstance(found[name], TaskResult)
    assert set(found) <= asked
