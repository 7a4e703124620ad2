"""
Calls of the 1.0 API: gateway, quota, operation, answer.

    POST /green/image/scan                      judged at once
    POST /green/image/asyncscan                 accepted, judged behind the answer
    POST /green/image/results                   what became of accepted ones
    POST /green/image/feedback                  what people say, which holds for similar images from then on
    POST /green/credentials/uploadcredentials   a key to upload local files with

Vendor: version 2018-05-09, in four regions, signed with ROA. The quota counts images, 50 a second. An image that
answers 200 is charged once for each scene. Assumed: a call with more images than the quota has places for is refused as
a whole; scans of both kinds share the quota, and no other call has one; an accepted image is charged once it was
judged, whether its result is fetched or not. Feedback that names no URL is taken, and changes nothing.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumer.emulator.access import credentials_of
from consumer.emulator.breakage import in_place_of_gateway, misleading, spoiled
from consumer.emulator.calls import SCAN_ACTIONS, Call, CallLog, TaskSeen
from consumer.emulator.errors import GatewayError
from consumer.emulator.faults import ActiveFault, Faults, Moment, Subject
from consumer.emulator.parameters import ImageUrl, OssObject
from consumer.emulator.provider import Latency
from consumer.emulator.quota import SlidingQuota
from consumer.emulator.replies import Reply, Silence, gateway_reply
from consumer.emulator.roa_signatures import verify_roa
from consumer.emulator.rules import Rule
from consumer.emulator.scan.codes import BAD_REQUEST, EXCEED_QUOTA, NAMES, NOT_ALLOWED, OK, ScanError, envelope, refusal
from consumer.emulator.scan.judging import Judge
from consumer.emulator.scan.later import Later
from consumer.emulator.scan.likeness import NEEDED, is_available
from consumer.emulator.scan.parameters import Scan, Task, read_feedback, read_results, read_scan
from consumer.emulator.scan.tasks import Entry, new_task_id
from consumer.emulator.scan.verdicts import SERVICE
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import NonceLedger, SignedRequest
from consumer.emulator.uploads import Uploads

VERSION: Final = "2018-05-09"
REGIONS: Final = ("cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1")
ROOT: Final = "/green/"
"""What the paths of this API begin with."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One call that is being answered."""

    request: SignedRequest
    call: Call
    request_id: str
    scan: Scan | None


class ScanCalls:
    """Answers the calls of version 2018-05-09."""

    def __init__(
        self, settings: EmulatorSettings, faults: Faults, uploads: Uploads, log: CallLog, judge: Judge, later: Later
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._uploads = uploads
        self._log = log
        self._judge = judge
        self._later = later
        self._credentials = credentials_of(settings)
        self._nonces = NonceLedger()
        self._quota = SlidingQuota(settings.scan_images)
        self._feedback_quota = SlidingQuota(settings.feedback_qps)
        self._latency = Latency.of(settings)
        self._operations: Mapping[str, Callable[[Asking, Sequence[Rule]], Awaitable[Reply]]] = {
            "ImageSyncScan": self._scan,
            "ImageAsyncScan": self._accept,
            "ImageAsyncScanResults": self._results,
            "ImageScanFeedback": self._learn,
            "UploadCredentials": self._hand_out,
        }

    async def answer(self, request: SignedRequest, call: Call) -> Reply | Silence:
        """Answer one call and note in `call` what it is about. Refusals are replies: none escapes."""
        request_id = str(uuid.uuid4()).upper()
        call.service = SERVICE
        scan: Scan | None = None
        wrong: ScanError | None = None
        try:
            if call.action in ("ImageSyncScan", "ImageAsyncScan"):
                scan = read_scan(request.body, call.region, self._settings.scan_tasks)
                _note(call, scan)
        except ScanError as error:
            wrong = error
        subjects = subjects_of(call, scan)
        try:
            fault = self._faults.draw(Moment.BEFORE_GATEWAY, *subjects)
            if fault is not None:
                return in_place_of_gateway(fault.what, request)
            self._pass_gateway(request, call)
            if wrong is not None:
                raise wrong
            return await self._serve(Asking(request, call, request_id, scan), subjects)
        except GatewayError as error:
            return gateway_reply(error, request_id, call.host)
        except ScanError as error:
            return refusal(error, request_id)

    def _pass_gateway(self, request: SignedRequest, call: Call) -> None:
        verify_roa(request, self._credentials, self._nonces, now=time.time() + self._settings.clock_ahead)
        version = request.header("x-acs-version")
        if not version:
            raise GatewayError(400, "MissingVersion", "Version is mandatory for this action.")
        text = "Specified api is not found, please check your url and method."
        if version != VERSION:
            raise GatewayError(400, "InvalidAction.NotFound", text)  # Vendor: of this API's older versions
        if request.method != "POST" or action_of(request.path) not in self._operations or call.region not in REGIONS:
            raise GatewayError(404, "InvalidApi.NotFound", text)

    async def _serve(self, asking: Asking, subjects: Sequence[Subject]) -> Reply | Silence:
        call = asking.call
        if asking.scan:
            self._enter_service(call)
        fault = self._faults.draw(Moment.INSIDE_QUOTA, *subjects)
        if fault and fault.what.code is not None:
            raise ScanError(fault.what.code, "a fault of the emulator")
        rules = () if fault and fault.what.items_off else self._settings.rules
        reply: Reply | Silence = await self._operations[call.action or ""](asking, rules)
        if fault is not None:
            reply = await _struck(reply, fault)
        if reply.billed:
            for seen in call.tasks:
                if seen.code == OK:
                    self._log.charge(seen)
        return reply

    def _enter_service(self, call: Call) -> None:
        self._log.note_images(call)
        if not self._quota.admit(call.arrival, len(call.tasks)):
            raise ScanError(EXCEED_QUOTA, f"more than {self._quota.per_second} images a second")

    async def _scan(self, asking: Asking, rules: Sequence[Rule]) -> Reply:
        assert asking.scan
        answer_at = asyncio.get_running_loop().time() + self._latency.draw()
        pairs = zip(asking.scan.tasks, asking.call.tasks, strict=True)
        entries = await asyncio.gather(
            *(self._judged(asking, task, seen, rules, new_task_id()) for task, seen in pairs)
        )
        await asyncio.sleep(answer_at - asyncio.get_running_loop().time())
        entries = self._as_told(asking, entries)
        return envelope(asking.request_id, entries, billed=any(seen.code == OK for seen in asking.call.tasks))

    async def _accept(self, asking: Asking, rules: Sequence[Rule]) -> Reply:
        assert asking.scan
        scan = asking.scan
        if scan.callback:
            self._later.callbacks.check(scan.callback)
        entries = []
        for task, seen in zip(scan.tasks, asking.call.tasks, strict=True):
            task_id = new_task_id()
            if task.image is None:
                seen.code = BAD_REQUEST
                entries.append(_refused(ScanError(BAD_REQUEST, task.wrong), _head(task)))
                continue
            self._later.start(task_id, task.url, self._finish(asking, task, seen, rules, task_id))
            entries.append({"code": OK, "msg": NAMES[OK], **_head(task, task_id)})
        return envelope(asking.request_id, self._as_told(asking, entries))

    async def _finish(self, asking: Asking, task: Task, seen: TaskSeen, rules: Sequence[Rule], task_id: str) -> None:
        assert asking.scan
        await asyncio.sleep(self._settings.scan_seconds + self._latency.draw())
        result = await self._judged(asking, task, seen, rules, task_id)
        if seen.code == OK:
            self._log.charge(seen)
        self._later.tasks.finish(task_id, result)
        if asking.scan.callback:
            fault = self._faults.draw(Moment.OF_A_CALLBACK, _subject(asking.call, task))
            await self._later.callbacks.send(asking.scan.callback, asking.scan.seed, result, fault)

    async def _results(self, asking: Asking, _rules: Sequence[Rule]) -> Reply:
        ids = read_results(asking.request.body, self._settings.scan_tasks)
        now = self._later.clock()
        return envelope(asking.request_id, [self._later.tasks.poll(each, now) for each in ids])

    async def _judged(
        self, asking: Asking, task: Task, seen: TaskSeen, rules: Sequence[Rule], task_id: str
    ) -> dict[str, Any]:
        assert asking.scan
        head = _head(task, task_id)
        try:
            self._strike(asking.call, task)
            results = await self._judge.judge(task, asking.scan, asking.call.region, rules)
        except ScanError as error:
            seen.code = error.code
            return _refused(error, head)
        seen.code = OK
        wire = [each.wire() for each in results]
        return {"code": OK, "msg": NAMES[OK], **head, "extras": {}, "results": wire}

    def _strike(self, call: Call, task: Task) -> None:
        fault = self._faults.draw(Moment.OF_A_TASK, _subject(call, task))
        if fault is not None:
            raise ScanError(fault.what.task_code or 0, "a fault of the emulator")

    def _as_told(self, asking: Asking, entries: Sequence[Entry]) -> list[Entry]:
        """What the answer says of each image, once faults have struck it."""
        assert asking.scan
        told: list[Entry] = []
        for task, entry in zip(asking.scan.tasks, entries, strict=True):
            fault = self._faults.draw(Moment.OF_AN_ENTRY, _subject(asking.call, task))
            told += misleading(entry, fault.what.entry if fault else None)
        return told

    async def _learn(self, asking: Asking, _rules: Sequence[Rule]) -> Reply:
        if not self._feedback_quota.admit(asking.call.arrival):
            raise ScanError(EXCEED_QUOTA, f"more than {self._feedback_quota.per_second} calls a second")
        feedback = read_feedback(asking.request.body, asking.call.region)
        if feedback.image is not None:
            asking.call.image = str(feedback.image)
            if not is_available():
                raise ScanError(NOT_ALLOWED, NEEDED)
            await self._judge.learn(feedback, asking.call.region)
        return envelope(asking.request_id, {})

    async def _hand_out(self, asking: Asking, _rules: Sequence[Rule]) -> Reply:
        token = self._uploads.hand_out(asking.call.region)
        endpoint = f"http://{asking.call.host}"  # where the caller reached this region, it reaches its store
        return envelope(
            asking.request_id,
            {
                "accessKeyId": token.access_key_id,
                "accessKeySecret": token.access_key_secret,
                "securityToken": token.security_token,
                "expiredTime": token.expiration * 1000,
                "ossEndpoint": endpoint,
                "ossInternalEndpoint": endpoint,
                "uploadBucket": token.bucket,
                "uploadFolder": token.prefix.rstrip("/"),
            },
        )


def action_of(path: str) -> str | None:
    """The action of a path of this API."""
    return SCAN_ACTIONS.get(path)


def subjects_of(call: Call, scan: Scan | None) -> list[Subject]:
    """What faults may match of a call: each of its tasks, or where there is none the call itself."""
    tasks = scan.tasks if scan else ()
    return [_subject(call, task) for task in tasks] or [
        Subject(region=call.region, action=call.action or "", service=SERVICE)
    ]


def _subject(call: Call, task: Task) -> Subject:
    return Subject(
        region=call.region,
        action=call.action or "",
        service=SERVICE,
        url=task.image.url if isinstance(task.image, ImageUrl) else "",
        object=task.image.object if isinstance(task.image, OssObject) else "",
        data_id=task.data_id or "",
    )


def _note(call: Call, scan: Scan) -> None:
    call.tasks = tuple(
        TaskSeen(data_id=task.data_id, image=str(task.image) if task.image else None, scenes=scan.scenes)
        for task in scan.tasks
    )
    if len(call.tasks) == 1:
        call.data_id, call.image = call.tasks[0].data_id, call.tasks[0].image


def _head(task: Task, task_id: str | None = None) -> dict[str, Any]:
    """What every entry begins with; without `taskId` and `dataId` where there are none."""
    head = {"taskId": task_id, "url": task.url, "dataId": task.data_id}
    return {name: value for name, value in head.items() if value is not None}


def _refused(error: ScanError, head: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": error.code, "msg": error.message, **head}


async def _struck(reply: Reply | Silence, fault: ActiveFault) -> Reply | Silence:
    await asyncio.sleep(fault.what.latency or 0.0)
    return spoiled(reply, fault) if isinstance(reply, Reply) else reply
