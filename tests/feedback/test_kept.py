"""The ledger is followed again after whatever went wrong."""

from consumer import background
from consumer.commands.feedback.sending import Kept
from tests.rig.clock import ManualClock


async def test_what_keeps_the_ledger_from_being_followed_is_told() -> None:
    """
    In readiness, for a minute after each error; it is followed again in the meantime.
    """
    clock, followed = ManualClock(), []

    class Followed:
        """A follower that meets an error the first time."""

        not_read = ""

        async def run(self) -> None:
            followed.append(clock.now())
            if len(followed) == 1:
                raise KeyError("x")
            await clock.sleep(1_000.0)

    kept = Kept(Followed(), clock)

    async def flow() -> list[list[str]]:
        async with background.running(kept.run(), "feedback"):
            await clock.sleep(1.0)
            first = kept.degraded()
            await clock.sleep(100.0)
            kept.follower.not_read = "TopicAuthorizationFailedError"
            return [first, kept.degraded()]

    said = await clock.run(flow())

    assert followed == [1_000.0, 1_005.0]
    assert [text.partition("followed (")[2].partition(")")[0] for [text] in said] == [
        "KeyError", "TopicAuthorizationFailedError",
    ]  # fmt: skip
