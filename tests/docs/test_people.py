"""docs/people.md and docs/feedback.md: their commands are run as they stand, and every word is the code's."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.main import get_command

from consumer.cli import app
from consumer.commands.arguments import SchemaName
from consumer.emulator import EmulatorSettings, running
from consumer.feedback import REASONS
from consumer.journal.signatures import Keyring
from consumer.reviews.judging import Conflict
from consumer.reviews.refusals import Refusal
from consumer.reviews.review import VerdictAt
from tests.contract.test_feedback import ENVIRONMENT, TellingDesk
from tests.emulator.imagehost import serving
from tests.emulator.scan.drawing import drawing, file_of
from tests.reviews.made import verdict
from tests.rig.kafka import KafkaCluster, read_all
from tests.rig.kafka.broker import TETHER
from tests.rig.replica import ROOT, surroundings

PEOPLE, FEEDBACK = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("people", "feedback"))
FOLLOWED = re.compile(r"(?:moderation-consumer |`)((?:feedback|schema)(?: (?:--)?[a-z][a-z-]*)*)(?=[`\s])")
COMMANDS = [
    line.partition("#")[0].split(maxsplit=1)[1].strip()
    for page in (PEOPLE, FEEDBACK)
    for block in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
"""As they stand there, without the program's name."""


@pytest.mark.parametrize("command", sorted({each for page in (PEOPLE, FEEDBACK) for each in FOLLOWED.findall(page)}))
def test_a_command_of_these_pages_can_be_followed(command: str) -> None:
    """
    Its subcommands, options and schemas are there.
    """
    found = get_command(app)
    for word in command.split():
        if word.startswith("--"):
            assert word in {name for each in found.params for name in each.opts}
        elif word in getattr(found, "commands", {}):
            found = found.commands[word]  # type: ignore[attr-defined]
        else:
            assert word in set(SchemaName)


def test_every_word_is_explained_and_none_is_made_up() -> None:
    """
    Why a decision is a dead letter, what decisions meet, and why nothing is sent.
    """

    def rows(page: str, heading: str) -> list[str]:
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    assert rows(PEOPLE, "A decision") == ["approve", "remove", "escalate", "dlq_reason", *Refusal]
    assert sorted(rows(PEOPLE, "When decisions meet")) == sorted(set(get_args(Conflict)) - {"none"})
    assert sorted(rows(FEEDBACK, "What is not sent")) == sorted(REASONS)


class Shell:
    """Where the commands are run: with `config/consumer.yaml` in the folder, as they name no other."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.log = folder / "log"
        (folder / "config").mkdir()
        (folder / "config" / "consumer.yaml").write_text(yaml.safe_dump(config))

    async def output_of(self, command: str) -> str:
        """Run it to its end."""
        async with self._running(command, asyncio.subprocess.PIPE) as process:
            async with asyncio.timeout(60):
                printed, _ = await process.communicate()
            assert process.returncode == 0, self.log.read_text()
        return printed.decode()

    @contextlib.asynccontextmanager
    async def until_sigterm(self, command: str) -> AsyncIterator[None]:
        """Run it until the context ends, as the page says: it ends by SIGTERM, and well."""
        async with self._running(command, asyncio.subprocess.DEVNULL) as process:
            yield
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 30) == 0, self.log.read_text()

    @contextlib.asynccontextmanager
    async def _running(self, command: str, output: int) -> AsyncIterator[asyncio.subprocess.Process]:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid())),
                *(sys.executable, "-m", "consumer", *shlex.split(command)),
                cwd=self.folder,
                env={**surroundings(), **ENVIRONMENT, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def until_logged(self, event: str) -> None:
        async with asyncio.timeout(60):
            while f'"{event}"' not in self.log.read_text():
                await asyncio.sleep(0.1)


def documented_decision(name: str, at: VerdictAt, **members: Any) -> dict[str, Any]:
    """The page's decision, about another verdict."""
    [text] = re.findall(r"^```json\n(.*?)^```$", PEOPLE, re.MULTILINE | re.DOTALL)
    return {**orjson.loads(text), "verdict_id": name, "verdict_at": at._asdict(), **members}


@pytest.mark.kafka
async def test_the_commands_do_what_the_pages_say(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    Each as it stands, in a folder with a configuration, on a real Kafka and the emulator: the page's decision is one by
    the printed schema and becomes a verdict, a dry run tells the provider nothing, a run tells it, and the ledger says
    so; each of its lines is one by its schema.
    """
    review, taking, dry, telling, ledger, not_sent, lines = COMMANDS
    assert (review, taking, dry, telling) == ("schema review", "feedback", "feedback --dry-run", "feedback")
    assert (ledger, not_sent, lines) == ("feedback ledger", "feedback ledger --not-sent", "schema feedback")
    desk = TellingDesk(kafka, topic, Keyring({}))
    async with running(EmulatorSettings()) as emulator, serving({"/a.jpg": file_of(drawing(1))}) as images:
        await desk.set_up_feedback(emulator, f"{images.url}/", quorum=1)
        kafka_settings = desk.config.kafka
        off = {
            "kafka": {
                "bootstrap_servers": kafka_settings.bootstrap_servers, "group_id": topic, "topics": [topic],
                "outputs": kafka_settings.outputs.model_dump(by_alias=True), "session_timeout": 6.0,
                "heartbeat_interval": 0.3,
            },
            "reviews": desk.config.reviews.model_dump(include={"topic", "people", "group_id"}),
            "health": {"host": "127.0.0.1", "port": 0, "metrics_port": 0},
        }  # fmt: skip
        given = desk.config.feedback.model_dump(include={"topic", "enabled", "quorum", "scenes", "endpoint"})
        on = {**off, "feedback": given, "bindings": [{"bucket": "ugc", "via": "url", "url": f"{images.url}/{{key}}"}]}
        (tmp_path / "off").mkdir()
        (tmp_path / "on").mkdir()
        without, shell = Shell(tmp_path / "off", off), Shell(tmp_path / "on", {**on, "oss": {}})

        approved = documented_decision(*await desk.put(verdict(1, group=topic)))
        Draft202012Validator(orjson.loads(await shell.output_of(review))).validate(approved)
        async with without.until_sigterm(taking):
            await desk.write(desk.config.reviews.topic, orjson.dumps(approved), b"k")
            [passed] = await desk.until(lambda people, _: len(people) == 1)

        for n, label in ((2, "porn"), (3, "terror")):
            placed = await desk.put(verdict(n, label, group=topic))
            removed = documented_decision(*placed, decision="remove", feedback="propose", labels_rejected=[])
            await desk.write(desk.config.reviews.topic, orjson.dumps(removed), b"k")
        async with shell.until_sigterm(dry):
            await shell.until_logged("feedback.would_send")
        after_dry = len(emulator.feedback)
        async with shell.until_sigterm(telling):
            await desk.until_told(2)

        told, more = await shell.output_of(ledger), await shell.output_of(not_sent)
        fits = Draft202012Validator(orjson.loads(await shell.output_of(lines)))
        written = [orjson.loads(each.value) for each in await read_all(kafka.bootstrap_servers, given["topic"])]

    assert (passed["decision"], passed["review"]["reviewer"]) == ("pass", approved["reviewer"])
    assert (after_dry, len(emulator.feedback)) == (0, 1)
    assert told.count(f"{images.url}/a.jpg") == 1
    assert more.startswith(told) or told in more
    assert f"not sent: {REASONS['no_scene']}" in more
    assert "not sent" not in told
    assert sorted({each["kind"] for each in written}) == ["not_sent", "sent", "vote"]
    assert [error.message for each in written for error in fits.iter_errors(each)] == []
    assert await desk.dead() == []
