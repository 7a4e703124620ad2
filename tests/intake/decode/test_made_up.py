"""Twenty thousand messages, most of them broken: each has one outcome, and what cannot be read is kept whole."""

from collections import Counter

import orjson

from consumer.errors import Undecodable
from consumer.intake.decode import Omission, Rejection, decode
from consumer.records import Delivery, Ignored
from consumer.verdicts.encode import Encoding
from tests.intake.decode.made_up import MODES, made_up
from tests.intake.decode.messages import BINDINGS, GROUP
from tests.rig.events import delivery

MESSAGES = 20_000
SEED = 20_261_121
ENCODING = Encoding(group=GROUP)


def outcome(read: Delivery) -> str:
    """What becomes of a message; any exception that is no decision of the decoder's escapes."""
    try:
        decoded = decode(read, BINDINGS, GROUP)
    except Undecodable as error:
        letter = ENCODING.dead_letter(read, error, 1_763_632_801.0)
        assert (letter.key, letter.value) == (read.key, read.value)
        theirs = [(name.removeprefix("original_"), value) for name, value in letter.headers[: len(read.headers)]]
        assert theirs == list(read.headers)
        return error.reason
    return decoded.reason if isinstance(decoded, Ignored) else "submitted"


def test_every_message_has_one_outcome_and_dead_letters_keep_their_bytes() -> None:
    """
    None crashes the decoder; each is submitted, ignored by a rule, or a dead letter with key, value and headers intact.
    """
    counted: Counter[str] = Counter()
    modes: Counter[str] = Counter()

    for offset, each in enumerate(made_up(MESSAGES, SEED)):
        counted[outcome(delivery(each.value, offset=offset, key=each.key, headers=each.headers))] += 1
        modes[each.mode] += 1

    known = {*map(str, Rejection), *map(str, Omission), "submitted"}
    assert sum(counted.values()) == MESSAGES
    assert set(counted) <= known
    assert set(modes) == set(MODES)
    assert len(counted) >= 15  # it would be no test if everything ended alike
    assert min(counted["submitted"], counted["not_json"], counted["no_value"]) > 500


def test_the_same_seed_makes_the_same_messages() -> None:
    """
    A message that fails can be made again.
    """
    first, again, other = (list(made_up(50, seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert orjson.loads(next(each.value for each in first if each.mode == "valid" and each.value))
