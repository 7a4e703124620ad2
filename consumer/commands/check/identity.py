"""Whether outcomes are signed, and with what. Reads the keys' files, values out."""

from collections.abc import Iterator

from consumer.commands.check.findings import Finding, ok, refused, warning
from consumer.config.identity import IdentitySettings, read_keys
from consumer.config.kafka import KafkaSettings
from consumer.errors import Misconfigured


def identity(settings: IdentitySettings, kafka: KafkaSettings) -> Iterator[Finding]:
    """Look at the keys. Without any, whoever may write to the outputs is believed: on one machine that is nobody."""
    if not settings.keys:
        nobody = not kafka.other_machines
        yield (ok if nobody else warning)(
            "identity",
            "outcomes are not signed: whoever may write to the output topics can make an image count as judged"
            + ("" if nobody else "; set identity.keys and identity.sign"),
        )
        return
    try:
        read_keys(settings)
    except Misconfigured as error:
        yield from (refused("identity", problem) for problem in error.problems)
        return
    signs = f"outcomes are signed with {settings.sign}" if settings.sign else "nothing is signed yet"
    until = settings.accept_unsigned_until
    if until is None:
        yield ok("identity", f"{signs}; unsigned ones are not believed")
    else:
        yield warning("identity", f"{signs}; unsigned ones are believed until {until.isoformat()}")
