"""
What the emulator says about itself, under /emulator/. Whoever reaches it may read; what changes answers is the
account's: `curl -u ID:SECRET -X PUT …/emulator/faults`.

    GET /emulator/stats       totals
    GET /emulator/calls       the call log in order of arrival, one JSON object a line
    DELETE /emulator/calls    forget the calls, all but those in progress
    GET /emulator/faults      the faults that are set, with how often each fired
    GET /emulator/libraries   the account's libraries, with what is in them, and its business scenarios
    DELETE /emulator/libraries  forget them all; needs the account's key
    GET /emulator/feedback    what people said of images in the 1.0 API
    DELETE /emulator/feedback   forget it; needs the account's key
    GET /emulator/tasks       the asynchronous tasks of the 1.0 API, without URLs
    DELETE /emulator/tasks    forget them; needs the account's key
    GET /emulator/state       libraries, feedback and finished tasks, to be saved; needs the account's key
    PUT /emulator/state       replace them by what was saved (state.py); needs the account's key
    DELETE /emulator/state    forget them all; needs the account's key
    PUT /emulator/faults      replace them by the list in the body (faults.py says of what); needs the account's key
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import ValidationError

from consumer.emulator.access import is_account
from consumer.emulator.calls import CallLog, arrival_now
from consumer.emulator.faults import Faults, parse_faults
from consumer.emulator.libraries import LibraryStore
from consumer.emulator.provider import ABOUT
from consumer.emulator.scan.feedback import FeedbackStore
from consumer.emulator.scan.tasks import OpenTasks
from consumer.emulator.state import restore, saved

CALLS: Final = web.AppKey("calls", CallLog)
FAULTS: Final = web.AppKey("faults", Faults)
LIBRARIES: Final = web.AppKey("libraries", LibraryStore)
FEEDBACK: Final = web.AppKey("feedback", FeedbackStore)
TASKS: Final = web.AppKey("tasks", OpenTasks)

_LINES_AT_ONCE: Final = 1000
_MOST_STATE: Final = 64 * 1024 * 1024
"""The longest state that is taken, in bytes."""


def add_pages(app: web.Application) -> None:
    """Serve the pages in `app`, which holds what they show under their keys."""
    app.router.add_get("/emulator/stats", _show_stats)
    app.router.add_get("/emulator/calls", _list_calls)
    app.router.add_get("/emulator/faults", _list_faults)
    app.router.add_put("/emulator/faults", _replace_faults)
    app.router.add_delete("/emulator/calls", _forget_calls)
    app.router.add_get("/emulator/libraries", _list_libraries)
    app.router.add_get("/emulator/feedback", _list_feedback)
    app.router.add_get("/emulator/tasks", _list_tasks)
    app.router.add_get("/emulator/state", _save_state)
    app.router.add_put("/emulator/state", _restore_state)
    for name, what, stores in (
        ("libraries", "Libraries", (LIBRARIES,)),
        ("feedback", "Feedback", (FEEDBACK,)),
        ("tasks", "Tasks", (TASKS,)),
        ("state", "The state", (LIBRARIES, FEEDBACK, TASKS)),
    ):
        app.router.add_delete(f"/emulator/{name}", partial(_forget, what=what, stores=stores))


def stats(calls: CallLog) -> dict[str, Any]:
    """The totals, and what they are totals of."""
    return {"about": ABOUT, **calls.stats(arrival_now())}


async def _show_stats(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(stats(request.app[CALLS])), content_type="application/json")


async def _list_calls(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await response.prepare(request)
    log = request.app[CALLS]
    calls = iter(log)
    # In parts: writing a hundred thousand lines at once would hold up the calls that are coming in.
    while part := list(islice(calls, _LINES_AT_ONCE)):
        await response.write(b"".join(orjson.dumps(call.json(), option=orjson.OPT_APPEND_NEWLINE) for call in part))
    await response.write_eof()
    return response


async def _forget_calls(request: web.Request) -> web.Response:
    request.app[CALLS].clear()
    return web.Response(status=204)


async def _list_faults(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(request.app[FAULTS].json()), content_type="application/json")


async def _list_libraries(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(request.app[LIBRARIES].json()), content_type="application/json")


async def _list_feedback(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(request.app[FEEDBACK].json()), content_type="application/json")


async def _list_tasks(request: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(request.app[TASKS].json()), content_type="application/json")


async def _forget(request: web.Request, *, what: str, stores: Sequence[web.AppKey[Any]]) -> web.Response:
    if not is_account(request):
        return _for_the_account(what)
    for store in stores:
        request.app[store].reset()
    return web.Response(status=204)


async def _save_state(request: web.Request) -> web.Response:
    if not is_account(request):
        return _for_the_account("The state")
    return web.Response(body=saved(*_stores(request.app)), content_type="application/json")


async def _restore_state(request: web.Request) -> web.Response:
    if not is_account(request):
        return _for_the_account("The state")
    try:
        restore(await request.clone(client_max_size=_MOST_STATE).read(), *_stores(request.app))
    except ValidationError as error:
        return _refused(error)
    return web.Response(status=204)


def _stores(app: web.Application) -> tuple[LibraryStore, FeedbackStore, OpenTasks]:
    return app[LIBRARIES], app[FEEDBACK], app[TASKS]


def _refused(error: ValidationError) -> web.Response:
    # Without what was sent: it may be a presigned URL.
    text = error.json(include_url=False, include_input=False)
    return web.Response(status=400, text=text, content_type="application/json")


def _for_the_account(what: str) -> web.Response:
    asked = {"WWW-Authenticate": 'Basic realm="the emulated account"'}
    return web.Response(status=401, headers=asked, text=f"{what}: for the account alone: curl -u ID:SECRET\n")


async def _replace_faults(request: web.Request) -> web.Response:
    if not is_account(request):
        return _for_the_account("Faults")
    try:
        faults = parse_faults(await request.read())
    except ValidationError as error:
        return web.Response(status=400, text=error.json(include_url=False), content_type="application/json")
    request.app[FAULTS].replace(faults)
    return await _list_faults(request)
