"""
How the 1.0 API is asked asynchronously: tasks, where they are written down, and how their results are learned.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, StringConstraints

from consumer.config.base import Seconds, Settings
from consumer.errors import Misconfigured

LONGEST_SEED = 64  # characters
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class CallbackSettings(Settings):
    """
    Where the provider says that a task is finished. That only has its result asked for earlier, and is never needed.

    Every replica listens, and the provider calls one of them: about a task of another one it is answered, and dropped.
    """

    url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        max_length=2_008,
        repr=False,
        description="What the provider calls, such as https://moderation.example.com/callback: whatever leads from "
        "there to `port`. Null: results are polled only.",
    )
    host: str = Field("127.0.0.1", description="The address that is listened on; `::` for all of this machine.")
    port: int = Field(
        8083,
        ge=0,
        le=65535,
        description="The port that is listened on, of its own. 0 takes a free port, which is logged.",
    )
    uid: str | None = Field(
        None, pattern=r"^[0-9]{1,32}$", description="The account's UID, which the provider makes checksums with."
    )
    seed_file: Path | None = Field(
        None,
        description="File of the seed, 1 to 64 of A-Z a-z 0-9 _, seen from this file's folder: a secret that the "
        "provider is told with every call, and makes checksums with. The same for all replicas.",
    )


class TaskSettings(Settings):
    """Whether an image's answer is waited for in its call, or is the result of a task that is looked for later."""

    mode: Literal["sync", "async"] = Field(
        "sync",
        description="`sync`: an answer comes with its call. `async`: a call makes a task, which is written to "
        "`tasks_topic`, and whose result is asked for until it is there: a crash pays for none of them again.",
    )
    max_open_tasks: PositiveInt = Field(
        500,
        description="With `async`: tasks without a result, of one replica. Below quota × the seconds that results "
        "take, this is the limit, and not the quota.",
    )
    poll_interval: Seconds = Field(
        5.0, description="With `async`: seconds between two looks at one task, and until the first. Vendor: about 5."
    )
    poll_tasks: PositiveInt = Field(
        50, le=100, description="With `async`: tasks whose results are asked for in one call, 1 to 100."
    )
    polls_per_second: PositiveFloat = Field(
        5.0,
        le=100,
        description="With `async`: calls for results a second, of one replica; they are no part of `quota`.",
    )
    results_kept: Seconds = Field(
        3600.0,
        description="With `async`: seconds for which the provider keeps a result. An outage that is longer has open "
        "tasks paid for again.",
    )
    tasks_topic: TopicName = Field(
        "moderation.scan-tasks",
        description="With `async`: where tasks are written down, and read back when a partition is taken over. Keep it "
        "for 2 hours.",
    )
    callback: CallbackSettings = CallbackSettings()

    @property
    def called_back(self) -> CallbackSettings | None:
        """Where callbacks are listened for; None where none are asked for."""
        return self.callback if self.callback.url is not None else None

    def contradictions(self) -> Iterator[tuple[str, ...]]:
        """What is set and has no effect, or lacks something."""
        if self.called_back is None:
            return
        if self.mode == "sync":
            yield "callback.url", "is for mode: async: remove it, or set that", "mode"
        if self.callback.uid is None or self.callback.seed_file is None:
            yield "callback.url", "needs uid and seed_file, which checksums are made with"


def read_seed(settings: CallbackSettings) -> str:
    """
    Read the seed's file; a line's end behind it is not part of it.

    Raises:
        Misconfigured: it is missing, or holds something else; nothing of what it holds is said.
    """
    assert settings.seed_file is not None
    setting = f"scan.callback.seed_file: {settings.seed_file}"
    try:
        seed = settings.seed_file.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Misconfigured([f"{setting}: cannot be read: {error.strerror}"]) from None
    if not 0 < len(seed) <= LONGEST_SEED or not seed.replace(b"_", b"").isalnum():
        raise Misconfigured([f"{setting}: must hold 1 to {LONGEST_SEED} of A-Z a-z 0-9 _"])
    return seed.decode("ascii")
