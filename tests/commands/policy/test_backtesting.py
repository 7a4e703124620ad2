"""`policy backtest` as whoever is to deploy a policy meets it: files in, figures and exit status out."""

import gzip
import json
import re
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
import yaml
from rich.console import Console

from consumer.commands.policy.backtesting.command import Options, backtest
from consumer.commands.policy.backtesting.page import page
from consumer.commands.policy.backtesting.progress import watched
from consumer.commands.policy.backtesting.text import as_csv
from consumer.errors import Misconfigured
from consumer.policy.decide import Deciding
from consumer.policy.schema import load_policy
from consumer.verdicts.encode import Encoding
from tests.commands.cli import command
from tests.rig.verdicts import published, uploads

CURRENT: dict[str, Any] = {"policy": "test", "version": 1}
CANDIDATE: dict[str, Any] = {
    "policy": "test",
    "version": 2,
    "route": {"medium": "block"},
    "rules": [{"id": "adult", "match": {"label": ["sexual_*"], "confidence": {"lt": 70}}, "then": "pass"}],
}
REVIEW = {"schema": "moderation.review.v1", "reviewer": "r1", "decided_at": "2026-01-01T00:00:40Z"}


def written(folder: Path, tree: dict[str, Any]) -> Path:
    path = folder / f"policy-{tree['version']}.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def verdicts(current: Path, count: int = 300) -> list[Any]:
    deciding, encoding = Deciding(load_policy(current)), Encoding(group="group")
    return [orjson.loads(published(each, deciding, encoding)[1].value or b"") for each in uploads(count, harmless=0.4)]


def lines(values: Sequence[Any]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in values)


class Folder:
    """Both policies, and verdicts of the current one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.current, self.candidate = written(path, CURRENT), written(path, CANDIDATE)
        self.verdicts = verdicts(self.current)
        self.lines = path / "verdicts.jsonl"
        self.lines.write_bytes(lines(self.verdicts))

    def tested(self, *files: Path, **options: Any) -> dict[str, Any]:
        """The result, but for what says where it came from."""
        asked = Options(candidate=self.candidate, current=self.current, verdicts=files or (self.lines,), **options)
        result = backtest(asked, {}, lambda total: watched(Console(stderr=True), total))
        result.pop("source")
        for stratum in result["samples"]:
            for image in stratum["images"]:
                image.pop("at")
        return result

    @property
    def arguments(self) -> list[str]:
        return ["policy", "backtest", str(self.candidate), "--against", str(self.current)]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_every_kind_of_file_says_the_same(folder: Folder) -> None:
    """
    JSON lines, gzip, Parquet with a column of JSON, and Parquet with a column for each member, moments as timestamps.
    """
    packed, column, members = (folder.path / name for name in ("v.jsonl.gz", "column.parquet", "members.parquet"))
    packed.write_bytes(gzip.compress(folder.lines.read_bytes()))
    with duckdb.connect(":memory:") as database:
        database.execute("CREATE TABLE t (value VARCHAR)")
        database.executemany("INSERT INTO t VALUES (?)", [[orjson.dumps(each).decode()] for each in folder.verdicts])
        database.execute(f"COPY t TO '{column}' (FORMAT parquet)")
        database.execute(f"COPY (SELECT * FROM read_json('{folder.lines}')) TO '{members}' (FORMAT parquet)")

    usual = folder.tested()

    assert usual["records"]["replayed"] == 300
    for path in (packed, column, members):
        assert folder.tested(path) == usual


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads Zstandard")
def test_zstandard_is_left_to_its_tool_where_python_has_none(folder: Folder) -> None:
    """
    Told by the first bytes, whatever the file is called, with the line that helps.
    """
    folder.lines.write_bytes(b"\x28\xb5\x2f\xfd\x00")

    with pytest.raises(Misconfigured, match="zstd -dc FILE"):
        folder.tested()


async def test_a_gate_that_does_not_hold_is_an_exit_status(folder: Folder) -> None:
    """
    4 with a line for each gate: 3 is an error that nobody expected. 0 where all hold.
    Options are stricter than a file, or milder: they win.
    """
    gates = folder.path / "gates.yaml"
    gates.write_text("gates: {max_flips_to_pass: 0, max_review_growth: 0.1}\n")
    asked = [*folder.arguments, "--verdicts", str(folder.lines), "--gates", str(gates)]

    refused = await command(*asked)
    allowed = await command(*asked, "--max-flips-to-pass", "1000")

    assert (refused.status, allowed.status) == (4, 0), refused.errors
    assert re.search(r"✗ max_flips_to_pass: \d+, bound 0", refused.output)
    assert "✓ max_review_growth" in refused.output


async def test_the_output_fits_and_everything_is_written(folder: Folder) -> None:
    """
    Eighty columns are enough; JSON on standard output stands alone; the files are there.
    """
    files = [folder.path / name for name in ("out.json", "out.csv", "out.html")]
    shown = await command(
        *folder.arguments, "--verdicts", str(folder.lines), "--json", str(files[0]), "--csv", str(files[1]),
        "--html", str(files[2]), environment={"COLUMNS": "80"},
    )  # fmt: skip
    alone = await command(*folder.arguments, "--verdicts", "-", "--json", "-", given=folder.lines.read_bytes())

    assert shown.status == 0, shown.errors
    assert max(map(len, shown.output.splitlines())) <= 80
    result, other = json.loads(files[0].read_bytes()), json.loads(alone.output)
    assert result["matrix"] == other["matrix"]
    assert files[1].read_text().startswith("table,name,current,candidate,images,low,high\nall,,pass,pass,")
    assert "<script" not in files[2].read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--verdicts", "missing.jsonl", "--verdicts", "gone.jsonl"], 2, "gone.jsonl: cannot be read: No such file"),
        (["--verdicts", "-", "--since", "yesterday"], 2, "--since: 'yesterday' is no duration"),
        (["--verdicts", "-", "--sample", "0"], 2, "is a share"),
        (["--verdicts", "-"], 1, "there is no verdict to replay"),
        (["--verdicts", "-", "--html", "nowhere/a.html"], 2, "--html: nowhere/a.html cannot be written"),
    ],
)
async def test_what_cannot_be_done_is_said(folder: Folder, arguments: list[str], status: int, said: str) -> None:
    """
    Before anything is read, where that can be known; all problems at once.
    """
    ended = await command(*folder.arguments, *arguments)

    assert ended.status == status
    assert said in " ".join(f"{ended.errors} {ended.output}".split())


async def test_lines_that_are_no_verdicts_are_counted_and_named(folder: Folder) -> None:
    """
    The others are counted; where none is a verdict there is no result, and the status is 1.
    """
    some = b"{}\nnot JSON\n" + folder.lines.read_bytes()

    told = await command(*folder.arguments, "--verdicts", "-", given=some)
    none = await command(*folder.arguments, "--verdicts", "-", given=b"{}\n\n[1]\n")

    assert told.status == 0
    assert "no verdicts, the first ones: -:1, -:2" in told.output
    assert none.status == 1
    assert "none of 2 records could be replayed: not_a_verdict 2; first at -:1" in none.errors


def test_peoples_decisions_are_compared(folder: Folder) -> None:
    """
    Precision and recall of both policies' blocks, with the time that they took; and the lines that are none, by place.
    """
    path = folder.path / "decisions.jsonl"
    decided = [
        {**REVIEW, "verdict_id": each["verdict_id"], "claimed_at": "2026-01-01T00:00:10Z",
         "decision": "remove" if each["decision"] == "block" else "approve"}
        for each in folder.verdicts[:100]
    ]  # fmt: skip
    path.write_bytes(lines(decided))

    result = folder.tested(decisions=[path])

    people = result["people"]
    assert people["compared"] == 100
    assert people["current"]["precision"]["value"] == people["current"]["recall"]["value"] == 1
    assert people["candidate"]["precision"]["value"] < 1
    assert result["reviews"]["seconds_per_review"] == 30
    path.write_bytes(lines([{**decided[0], "decision": "maybe"}, {"schema": "other"}]))
    with pytest.raises(Misconfigured) as refused:
        folder.tested(decisions=[path])
    assert [each.split(": ")[0] for each in refused.value.problems] == [f"{path}:1", f"{path}:2"]


def test_no_credential_of_a_url_is_told(folder: Folder) -> None:
    """
    A verdict may keep a presigned URL, where privacy says so: what is written of a backtest has no query of it.
    """
    url = "https://user:pw@cdn.example.com/a.jpg?Signature=geheim"
    changed = [{**each, "image": {**each["image"], "ref": None, "url": url}} for each in folder.verdicts]
    folder.lines.write_bytes(lines(changed))

    result = folder.tested()

    images = [image for stratum in result["samples"] for image in stratum["images"]]
    assert images
    assert {image["url"] for image in images} == {"https://cdn.example.com/a.jpg"}
    for text in (orjson.dumps(result).decode(), page(with_source(result)), as_csv(result)):
        assert "geheim" not in text
        assert "user:pw" not in text


def with_source(result: dict[str, Any]) -> dict[str, Any]:
    for stratum in result["samples"]:
        for image in stratum["images"]:
            image["at"] = "file:1"
    return result


HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m\u202e=cmd|' /C calc'!A0{sections}{about}"


class Seen(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)


def test_a_page_holds_nothing_but_text_of_strangers(folder: Folder) -> None:
    """
    Whatever a producer calls a tenant, an object or the provider a label: no element, no link, no formula comes of it.
    """
    changed = [
        {**each, "tenant": HOSTILE, "purpose": HOSTILE, "subject": {**each["subject"], "id": HOSTILE},
         "image": {**each["image"], "ref": {"store": HOSTILE, "bucket": HOSTILE, "key": HOSTILE, "region": None}},
         "findings": [{**found, "label": f"{HOSTILE}{found['label']}"} for found in each["findings"]]}
        for each in folder.verdicts
    ]  # fmt: skip
    folder.lines.write_bytes(lines(changed))
    result = with_source(folder.tested())
    assert result["samples"]

    seen = Seen()
    seen.feed(page(result))

    assert seen.tags.isdisjoint({"script", "img", "a", "iframe", "link", "form", "object", "embed"})
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("href", "src", "style")]
    assert page(result).count("{sections}") == page(result).count("=cmd|")  # as text, and nothing was put there
    assert "\x1b" not in page(result)
    assert "\u202e" not in page(result)
    assert ",=cmd" not in as_csv(result)


def test_a_name_of_a_spreadsheets_formula_is_inert(folder: Folder) -> None:
    """
    CSV is opened in spreadsheets, and producers name tenants.
    """
    folder.lines.write_bytes(lines([{**each, "tenant": "=1+1"} for each in folder.verdicts]))

    assert "tenant,'=1+1," in as_csv(folder.tested())
