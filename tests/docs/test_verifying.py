"""The functions on docs/events.md by which subscribers tell our outcomes from others, in each of their languages."""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from consumer.journal.headers import OF_DEAD_LETTER, OF_PROVISIONAL, OF_VERDICT, Source, SourceHeaders
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.journal.superseding import SupersedingClaim
from consumer.records import SourceId
from tests.rig.events import delivery
from tests.rig.replica import ROOT

KEY = b"n" * 32
KEYRING = Keyring({"old": b"o" * 32, "new": KEY}, "new")
PROGRAMS = Path(__file__).parent / "verifying"


def function(language: str) -> str:
    """What the page has of a language."""
    page = (ROOT / "docs" / "events.md").read_text()
    [found] = re.findall(rf"^```{language} verify\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass(frozen=True)
class Record:
    """A record as a subscriber has it, and whether it is ours."""

    genuine: bool
    topic: str
    kind: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None] = field(default_factory=dict)

    def line(self) -> str:
        """Topic, kind, key, value and headers, in base64; `-` is null."""
        headers = [f"{name}={_text(content)}" for name, content in self.headers.items()]
        return " ".join([self.topic, self.kind, _text(self.key), _text(self.value), *headers])


def _text(content: bytes | None) -> str:
    return "-" if content is None else base64.b64encode(content).decode()


def records(names: SourceHeaders) -> Iterator[Record]:
    """Genuine ones, and what a forger could make of them."""
    message = delivery(b"{}", partition=3, offset=9)
    source = Source(SourceId("1f"), message.topic_partition, message.offset)
    headers = dict(names.write("group", source.id, message))
    for key, value in ((b"key", b"value"), (None, b"value"), ("schlüssel".encode(), b""), (b"", None)):
        claim = Claim("group", names, source, "moderation.block", key, value)
        signature = KEYRING.sign(claim, 1_763_632_801.5, CommitMark(7, 1_763_632_800.0))
        ours = Record(True, claim.topic, names.kind, key, value, {**headers, HEADER: signature})
        yield ours
        yield replace(ours, headers={**headers, HEADER: KEYRING.sign(claim, 1_763_632_801.5, None)})
        for other in (b"x", b"" if key is None else None):
            yield replace(ours, genuine=False, key=other)
        yield replace(ours, genuine=False, value=b"x")
        yield replace(ours, genuine=False, topic="moderation.pass")
        yield replace(ours, genuine=False, headers=headers)
        forged = Keyring({"new": b"x" * 32}, "new").sign(claim, 1.0, None)
        yield replace(ours, genuine=False, headers={**headers, HEADER: forged})
        for name in (*headers, HEADER):
            yield replace(ours, genuine=False, headers={**ours.headers, name: b"1"})
            yield replace(ours, genuine=False, headers={**ours.headers, name: None})


def superseding_records() -> Iterator[Record]:
    """Genuine ones that supersede others, and what a forger could make of them."""
    headers: dict[str, bytes | None] = {"ce_id": b"1f", "superseding_group": b"group"}
    for key in (b"key", None):
        claim = SupersedingClaim("group", "1f", "moderation.block", key, b"value")
        ours = Record(True, claim.topic, "superseding", key, b"value", {**headers, HEADER: claim.sign(KEYRING, 1.5)})
        yield ours
        yield replace(ours, genuine=False, kind="verdict", headers={**ours.headers, "source_group": b"group"})
        yield replace(ours, genuine=False, topic="moderation.pass")
        yield replace(ours, genuine=False, value=b"x")
        yield replace(ours, genuine=False, key=b"x")
        for name in ours.headers:
            yield replace(ours, genuine=False, headers={**ours.headers, name: b"1"})
            yield replace(ours, genuine=False, headers={**ours.headers, name: None})


RECORDS = [
    *records(OF_VERDICT), *records(OF_PROVISIONAL), *records(OF_DEAD_LETTER), *superseding_records(),
]  # fmt: skip


def check(program: list[str], folder: Path) -> None:
    """Have a program judge every record."""
    lines = "".join(f"{record.line()}\n" for record in RECORDS)
    command = [*program, "new", base64.b64encode(KEY).decode()]
    judged = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=folder, check=False)

    assert judged.stderr == ""
    assert judged.stdout.split() == ["true" if record.genuine else "false" for record in RECORDS]


def test_in_python() -> None:
    """
    Ours is genuine, and no longer once anything of it that counts is changed.
    """
    page: dict[str, Any] = {}
    exec(function("python"), page)
    judged = [
        page["is_genuine"](each.topic, each.key, each.value, each.headers, {"new": KEY}, each.kind) for each in RECORDS
    ]

    assert judged == [each.genuine for each in RECORDS]


def test_in_java(javac: str, tmp_path: Path) -> None:
    """
    As in Python.
    """
    (tmp_path / "Outcomes.java").write_text(function("java"))
    shutil.copy(PROGRAMS / "Main.java", tmp_path)
    subprocess.run([javac, "Outcomes.java", "Main.java"], cwd=tmp_path, check=True)

    check([str(Path(javac).with_name("java")), "Main"], tmp_path)


def test_in_go(go: str, tmp_path: Path) -> None:
    """
    As in Python.
    """
    (tmp_path / "outcomes.go").write_text(function("go"))
    shutil.copy(PROGRAMS / "main.go", tmp_path)
    subprocess.run([go, "build", "-o", "verify", "outcomes.go", "main.go"], cwd=tmp_path, check=True)

    check(["./verify"], tmp_path)
