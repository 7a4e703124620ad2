"""
What the service will make of an event, told by its own decoder; and what that costs. Pure.
"""

from typing import NamedTuple

from consumer.commands.backfill.uploads import Upload
from consumer.config import Config
from consumer.intake.decode import Bindings, Rules, decode
from consumer.locations import NotAskable
from consumer.policy.effective import Policies
from consumer.policy.schema import Policy
from consumer.records import Delivery, Ignored


class Checked(NamedTuple):
    """What an event asks for. `ignored` says why the service passes it over; it is not sent then."""

    images: int = 0
    calls: int = 0  # that are billed, if each is answered
    not_asked: int = 0  # images that go to review without a call, as the event cannot name them
    ignored: str | None = None


class Checking(NamedTuple):
    """Decodes events as the service does that reads them from `topic`."""

    topic: str
    group: str
    bindings: Bindings
    rules: Rules
    policies: Policies
    units: int = 1  # that a call is charged as

    @classmethod
    def of(cls, config: Config, policy: Policy, topic: str) -> "Checking":
        """As a configuration and a policy have it."""
        rules, policies = Rules.of(config), Policies(policy.settings)
        return cls(topic, config.kafka.group_id, Bindings.of(config), rules, policies, config.units_per_call)

    def check(self, upload: Upload, now: float) -> Checked:
        """
        Look at an event at `now` (unix seconds).

        Raises:
            Undecodable: it would become a dead letter.
        """
        record = upload.record
        delivery = Delivery(
            topic=self.topic, partition=0, offset=0, timestamp=now, key=record.key, value=record.value,
            headers=record.headers, received=now,
        )  # fmt: skip
        decoded = decode(delivery, self.bindings, self.group, self.rules)
        if isinstance(decoded, Ignored):
            return Checked(ignored=decoded.reason)
        askable = [each for each in decoded if not isinstance(each.location, NotAskable)]
        calls = sum(len(self.policies.of(each.tenant, each.purpose).asked.services) for each in askable)
        return Checked(len(decoded), calls * self.units, len(decoded) - len(askable))
