"""
No parser of the service's can be made to work for long by what a stranger writes: in records, headers, the journal and
answers. The regular expressions that they are made of are in test_expressions.py, requests to our own ports in
observability/test_connections.py, log lines in observability/test_logs.py.
"""

import ast
import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import pytest

from consumer.alibaba.codes import failure_of
from consumer.alibaba.empty_call import EmptyCall
from consumer.alibaba.image_moderation import read_answer
from consumer.alibaba.scan.answers import judged, tasks_in
from consumer.alibaba.scan.callbacks import CallbackSecret, read_callback
from consumer.alibaba.scan.empty_call import EmptyScan
from consumer.alibaba.scan.upload_credentials import read_credentials
from consumer.alibaba.upload_token import read_token, store_failure
from consumer.errors import CallFailed, Undecodable
from consumer.http.content import Unreadable, unpacked
from consumer.images.presigned import expiry
from consumer.intake.decode import decode, members, urls
from consumer.intake.decode.bindings import media_type
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.headers import OF_DEAD_LETTER, OF_PROVISIONAL, OF_VERDICT, SourceHeaders
from consumer.journal.tasks import Task
from consumer.records import Delivery
from consumer.redaction import cut, presentable, redacted, shortened
from consumer.reviews.review import VerdictAt, read_review
from consumer.urls import shown_url
from consumer.verdicts.bounds import bounded_headers, bounded_key
from consumer.verdicts.foreign import header_name, written_headers
from tests.intake.decode.messages import BINDINGS, GROUP, SAMPLES
from tests.moderation.requests import request
from tests.reviews.made import review
from tests.rig.events import delivery
from tests.rig.replica import ROOT
from tests.rig.speed import is_quick, repeated
from tests.test_expressions import MOST, PIECES, SOURCES

ENCODABLE = [piece for piece in PIECES if piece != "\ud800"]
"""Neither JSON nor headers bring a surrogate of the upper half."""
Input = TypeVar("Input")
EXPECTED = (Undecodable, CallFailed, Unreadable)
"""How a parser says that it is not what it should be."""


def is_worked_off(act: Callable[[Input], object], input_of: Callable[[int], Input]) -> bool:
    """Whether a megabyte is read or refused in less than half a second of the usual machine."""

    def works(given: Input) -> None:
        with contextlib.suppress(*EXPECTED):
            act(given)

    return is_quick(works, input_of, MOST)


def lines_of_source(headers: SourceHeaders, text: str) -> None:
    """Read a header of the journal's that a stranger wrote, each in turn."""
    ours = {headers.id: b"1", headers.topic: b"uploads", headers.partition: b"0", headers.offset: b"0"}
    for name in ours:
        headers.read(GROUP, {**ours, "source_group": GROUP.encode(), name: encoded(text)})


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


TEXTS: Mapping[str, Callable[[str], object]] = {
    "web_url": lambda text: urls.web_url(text, "url"),
    "web_url of a host": lambda text: urls.web_url(f"https://{text}", "url"),
    "web_url of a path": lambda text: urls.web_url(f"https://host/{text}", "url"),
    "encoded_key": lambda text: urls.encoded_key(text, "key"),
    "decoded_key": urls.decoded_key,
    "is_raw_key": urls.is_raw_key,
    "timestamp": lambda text: members.timestamp(text, "time"),
    "named": members.named,
    "document_in": members.document_in,
    "media_type": media_type,
    "expiry": lambda text: expiry(f"https://host/?{text}"),
    "shown_url": shown_url,
    "commit metadata": CommitMetadata.read,
    "commit metadata of ours": lambda text: CommitMetadata.read(f"mc1 {text}"),
    "signed commit metadata": lambda text: CommitMetadata.read(f"mc2 1763632801.123 0123abcd {text}"),
    "a verdict's headers": partial(lines_of_source, OF_VERDICT),
    "a provisional verdict's headers": partial(lines_of_source, OF_PROVISIONAL),
    "a dead letter's headers": partial(lines_of_source, OF_DEAD_LETTER),
    "a header's name": header_name,
    "a header's name that is no UTF-8": lambda text: header_name(text.replace(text[0], "\udcff")),
    "a letter's headers": lambda text: written_headers([(text, encoded(text))] * 3, ["dlq_id"]),
    "bounded headers": lambda text: bounded_headers([(text, encoded(text))] * 3, "dropped"),
    "bounded key": lambda text: bounded_key(encoded(text), "source"),
    "content-encoding": lambda text: unpacked(b"x", text),
    "a gateway's code": lambda text: failure_of(400, text),
    "a code of the empty call": lambda text: EmptyCall.failure_in(400, encoded(text)),
    "an answer": lambda text: read_answer(200, {}, encoded(text), request()),
    "a failure": lambda text: read_answer(503, {"x-acs-retry-after": text}, encoded(text), request()),
    "redacted": redacted,
    "presentable": presentable,
    "cut": lambda text: (cut(text, 2_000), shortened(text)),
}
"""Parsers of texts."""


@pytest.mark.parametrize("parser", TEXTS)
def test_a_parser_works_off_a_hostile_megabyte_in_no_time(parser: str) -> None:
    """
    Whatever the megabyte repeats.
    """
    for piece in ENCODABLE:
        assert is_worked_off(TEXTS[parser], partial(repeated, piece, end="\x01")), repr(piece)


def decoded(record: Delivery) -> object:
    return decode(record, BINDINGS, GROUP)


def with_each_text_replaced(document: Any, text: str) -> Iterator[Any]:
    """A document as often as it has texts, in each of them another one replaced."""
    if isinstance(document, dict):
        for name, held in document.items():
            yield from ({**document, name: each} for each in with_each_text_replaced(held, text))
    elif isinstance(document, list):
        for index, held in enumerate(document):
            yield from (
                [*document[:index], each, *document[index + 1 :]] for each in with_each_text_replaced(held, text)
            )
    elif isinstance(document, str):
        yield text


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("piece", ["a", "%", "%2F", "/", "../", ".", "://", "é", "\\", "0", " ", '{"a":', "="])
def test_an_event_with_a_hostile_megabyte_in_it_is_decoded_in_no_time(name: str, piece: str) -> None:
    """
    In the place of any text of any format.
    """

    def record(number: int, size: int) -> Delivery:
        documents = with_each_text_replaced(SAMPLES[name], repeated(piece, size))
        return delivery(orjson.dumps(next(islice(documents, number, None))))

    for number, _ in enumerate(with_each_text_replaced(SAMPLES[name], piece)):
        assert is_worked_off(decoded, partial(record, number))


def enveloped(size: int) -> bytes:
    """JSON in JSON in JSON, escaped each time."""
    value = b'{"a":"' + b"\\" * (size // 1_000) + b'"}'
    for _ in range(9):
        value = orjson.dumps({"Records": [{"body": value.decode(), "eventSource": "aws:sqs", "messageId": "1"}]})
    return value


def filled(begin: bytes, piece: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    """What makes a text of a size: a piece again and again, between others."""
    return lambda size: begin + piece * ((size - len(begin) - len(end)) // len(piece)) + end


RECORD = orjson.dumps(SAMPLES["aws_s3"]["Records"][0])
VALUES: Mapping[str, Callable[[int], bytes]] = {
    "lists in each other": filled(b"", b"["),
    "objects in each other": filled(b"", b'{"a":'),
    "closed lists in each other": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "a member many times": filled(b"{", b'"a":1,', b'"b":1}'),
    "a list of objects": filled(b'{"Records":[', b"{},", b"{}]}"),
    "a list of records": filled(b'{"Records":[', RECORD + b",", RECORD + b"]}"),
    "digits": filled(b'{"event_id":', b"1", b"}"),
    "an exponent": filled(b'{"event_id":1e', b"9", b"}"),
    "escapes": filled(b'{"event_id":"', b"\\u00e9", b'"}'),
    "backslashes": filled(b'"', b"\\\\", b'"'),
    "a text that is never closed": filled(b'{"a":"', b"\\"),
    "no UTF-8": filled(b"", b"\xff"),
    "JSON in JSON, escaped each time": enveloped,
    "texts of documents": filled(b'{"Message":"', b'{\\"Message\\":', b'"}'),
    "base64": lambda size: orjson.dumps({"Message": base64.b64encode(b"[" * (size * 7 // 10)).decode()}),
}  # fmt: skip
HEADERS: Mapping[str, Callable[[int], Sequence[tuple[str, bytes]]]] = {
    "a long header": lambda size: [
        ("ce_type", b"a." * (size // 2)), ("ce_specversion", b"1.0"), ("ce_id", b"%" * (size // 2)),
    ],
    "many headers": lambda size: [(f"ce_{n}", b"1") for n in range(size // 10)],
    "a long media type": lambda size: [("content-type", b"application/" + b";" * size)],
    "a long traceparent": lambda size: [("traceparent", b"00-" * (size // 3))],
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_a_hostile_megabyte_is_decoded_in_no_time(name: str) -> None:
    """
    Deep, wide, escaped or cut off.
    """
    assert is_worked_off(decoded, lambda size: delivery(VALUES[name](size)))


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_a_hostile_megabyte_are_decoded_in_no_time(name: str) -> None:
    """
    Long or many.
    """
    assert is_worked_off(decoded, lambda size: delivery(b"{}", headers=HEADERS[name](size)))


DECIDED = orjson.loads(
    review("v", VerdictAt("moderation.block", 0, 1), labels_rejected=["a"], note="n", claimed_at="c")
)


@pytest.mark.parametrize("name", VALUES)
def test_a_decision_of_a_hostile_megabyte_is_read_in_no_time(name: str) -> None:
    """
    Deep, wide, escaped or cut off.
    """
    assert is_worked_off(read_review, VALUES[name])


@pytest.mark.parametrize("piece", ["a", "1", "2026-", "\\", "é", '{"a":', "\x00"])
def test_a_decision_with_a_hostile_megabyte_in_it_is_read_in_no_time(piece: str) -> None:
    """
    In the place of any of its texts, and as labels without end.
    """

    def value(number: int, size: int) -> bytes:
        return orjson.dumps(next(islice(with_each_text_replaced(DECIDED, repeated(piece, size)), number, None)))

    for number, _ in enumerate(with_each_text_replaced(DECIDED, piece)):
        assert is_worked_off(read_review, partial(value, number))
    assert is_worked_off(
        read_review, lambda size: orjson.dumps({**DECIDED, "labels_confirmed": [piece] * (size // (len(piece) + 3))})
    )


ANSWERS: Mapping[str, Callable[[int], bytes]] = {
    "lists in each other": filled(b'{"Code":200,"Data":', b"["),
    "objects in each other": filled(b"", b'{"Data":'),
    "a member many times": filled(b"{", b'"a":1,', b'"Code":200}'),
    "many members": lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 12)) + b"}",
    "labels": filled(b'{"Code":200,"Data":{"Result":[', b'{"Label":"a"},', b'{"Label":"a"}]}}'),
    "words": filled(
        b'{"Code":200,"Data":{"Result":[{"Label":"a"}],"Ext":{"TextInImage":{"RiskWord":[', b'"a",', b'""]}}}}',
    ),
    "digits": filled(b'{"Code":', b"2", b"}"),
    "a confidence": filled(b'{"Code":200,"Data":{"Result":[{"Label":"a","Confidence":1', b"0", b"}]}}"),
    "no UTF-8": filled(b'{"Code":200,"Msg":"', b"\xff", b'"}'),
    "half a character": filled(b'{"Code":200,"Msg":"', b"\\ud800", b'"}'),
}  # fmt: skip


_SCANNED = b'{"code":200,"data":[{"code":200,"dataId":"1","results":['
SCANS: Mapping[str, Callable[[int], bytes]] = {
    "results": filled(_SCANNED, b'{"scene":"porn","label":"a","suggestion":"pass","rate":1},', b"{}]}]}"),
    "tasks": filled(b'{"code":200,"data":[', b"{},", b"{}]}"),
    "a code of a task": filled(b'{"code":200,"data":[{"code":', b"5", b"}]}"),
    "a scene": filled(_SCANNED + b'{"scene":"', b"a", b'"}]}]}'),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_answer_of_a_hostile_megabyte_is_read_in_no_time(name: str, status: int) -> None:
    """
    It ends as an answer or as a failure.
    """
    asked = request()

    assert is_worked_off(lambda body: read_answer(status, {}, body, asked), ANSWERS[name])


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("status", [200, 503])
def test_an_upload_token_of_a_hostile_megabyte_is_read_in_no_time(name: str, status: int) -> None:
    """
    It ends as a token or as a failure.
    """
    read = partial(read_token, base_url="https://127.0.0.1", vpc=False)

    assert is_worked_off(lambda body: read(status, body), ANSWERS[name])


@pytest.mark.parametrize("name", [*ANSWERS, *SCANS])
def test_an_answer_of_the_1_0_api_of_a_hostile_megabyte_is_read_in_no_time(name: str) -> None:
    """
    As tasks, as upload credentials and as the answer to the call without an image.
    """
    input_of = {**ANSWERS, **SCANS}[name]

    assert is_worked_off(lambda body: judged(tasks_in(200, {}, body).tasks[0], "1", ["porn"]), input_of)
    assert is_worked_off(lambda body: read_credentials(200, body, base_url="https://127.0.0.1", vpc=False), input_of)
    assert is_worked_off(lambda body: EmptyScan.failure_in(200, body), input_of)


@pytest.mark.parametrize("name", [*ANSWERS, *SCANS])
def test_a_callback_and_a_task_of_a_hostile_megabyte_are_read_in_no_time(name: str) -> None:
    """
    A form of it, a genuine form with it, which is what the account's own seed could sign, and a record of a task.
    """
    input_of, secret = {**ANSWERS, **SCANS}[name], CallbackSecret("1", "seed")

    def signed(content: bytes) -> object:
        text = content.decode("latin-1")
        return read_callback(urlencode({"checksum": secret.checksum(text), "content": text}).encode(), secret)

    assert is_worked_off(lambda body: read_callback(body, secret), input_of)
    assert is_worked_off(signed, input_of)
    assert is_worked_off(Task.read, input_of)


@pytest.mark.parametrize("piece", [b"<Code>", b"<Code>a", b"</Code>", b"\xff", b"a" * 64])
def test_a_stores_refusal_of_a_hostile_megabyte_is_read_in_no_time(piece: bytes) -> None:
    """
    It ends as a failure.
    """
    assert is_worked_off(partial(store_failure, 403), filled(b"<Error>", piece))


PARSING = {
    "loads", "b64decode", "urlsplit", "unquote", "unquote_to_bytes", "parse_qs", "strptime", "fromisoformat",
    "ip_address", "decompressobj", "decompress_raw_len", "decompress_raw_into", "decompress_into",
}  # fmt: skip
"""Functions of libraries' that parse."""
MET_ABOVE = {
    "alibaba/empty_call.py", "alibaba/image_moderation.py", "alibaba/scan/answers.py", "alibaba/scan/callbacks.py",
    "alibaba/scan/empty_call.py", "alibaba/scan/upload_credentials.py", "alibaba/upload_token.py", "http/content.py",
    "images/presigned.py", "intake/decode/cloudevents.py", "intake/decode/members.py", "intake/decode/urls.py",
    "journal/tasks.py",
}  # fmt: skip
MET_ELSEWHERE = {
    "commands/backfill/rows.py": "tests/commands/backfill/test_rows.py",
    "images/addresses.py": "tests/images/test_addresses.py",
    "images/preparing/wire.py": "tests/images/preparing/test_wire.py",
    "images/unpacking.py": "tests/images/test_fetch.py",
    "kafka/unpacking.py": "tests/kafka/test_reading.py",
    "commands/offsets.py": "tests/commands/test_open_records.py",
    "alibaba/feedback.py": "tests/alibaba/test_feedback.py",
    "alibaba/library_answers.py": "tests/libraries/test_answers.py",
    "commands/scan/manifest.py": "tests/commands/scan/test_manifest.py",
}
OF_NO_STRANGER = {
    "commands/backfill/spool.py": "what a backfill has written into a file of its own",
    "alibaba/client.py": "the provider's URL, of the configuration",
    "alibaba/libraries.py": "the same",
    "alibaba/scan/client.py": "the same",
    "alibaba/uploads.py": "the same",
    "commands/decode.py": "what an operator writes beside a message",
    "commands/libraries/running.py": "the option that an operator gives",
    "commands/policy/explaining.py": "a verdict of at most 64 KiB that an operator gives",
    "commands/scan/files.py": "URLs of files, which the scan has made itself",
    "commands/scan/state.py": "what a scan has written into a file of its owner's",
    "intake/decode/claims.py": "URLs that `intake/decode/urls.py` has accepted, of 2,048 characters at the most",
    "feedback/lines.py": "lines of a ledger, of at most 64 KiB",
    "feedback/told.py": "templates of the configuration",
    "images/stores/addresses.py": "stores' endpoints, of the configuration",
    "loopback.py": "hosts of the configuration",
    "moderation/paced.py": "URLs that `intake/decode/urls.py` has accepted, or that a binding makes",
    "proxies.py": "the environment's proxies, and URLs of the configuration",
    "tracing/spans.py": "URLs of the configuration, and verdicts that we have just written",
    "commands/policy/backtesting/files.py": "lines of a file that an operator gives, and who waits is the operator",
    "commands/policy/backtesting/topics.py": "values of records, in a command that holds up nobody",
    "commands/policy/newest_verdict.py": "the same",
    "commands/policy/redecide/redeciding.py": "the same",
    "policy/backtest/people.py": "moments in people's decisions, in a command that holds up nobody",
    "policy/decide.py": "an event's context of at most 8 KiB, which has just been written from the decoded event",
    "policy/replay.py": "a verdict's moment, in a command that holds up nobody",
    "reviews/carrying.py": "verdicts that are believed to be this service's, of at most 64 KiB",
    "reviews/floors.py": "what is believed to be written by this service",
    "reviews/memory.py": "what is believed to be written by this service",
    "reviews/writing.py": "a verdict that has just been written",
    "vendor_facts/catalogue.py": "a file of ours",
    "vendor_facts/label_page.py": "the provider's page, which an operator gives",
    "verdicts/value.py": "members that have just been written from a decoded event",
}
APART = {"config", "demo", "emulator"}
"""Folders that read what operators and tests write."""


def test_no_parser_escapes_these_tests() -> None:
    """
    Each module that calls a library's parser meets a hostile megabyte above or elsewhere, or reads no stranger's text.
    """
    parsing = {
        path.relative_to(ROOT / "consumer").as_posix()
        for path, tree in SOURCES.items()
        for each in ast.walk(tree)
        if isinstance(each, ast.Call)
        and (each.func.attr if isinstance(each.func, ast.Attribute) else getattr(each.func, "id", "")) in PARSING
    }

    found = {path for path in parsing if path.partition("/")[0] not in APART}
    assert found == MET_ABOVE | MET_ELSEWHERE.keys() | OF_NO_STRANGER.keys()
    assert all((ROOT / path).exists() for path in MET_ELSEWHERE.values())
