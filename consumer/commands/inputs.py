"""What the service starts from: configuration, policy and keys, with all that is wrong with them at once."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from consumer.config import Config
from consumer.config.credentials import Credentials, load_credentials
from consumer.config.identity import read_keys
from consumer.config.loading import load_config, load_sound_part, warnings_of
from consumer.errors import Misconfigured
from consumer.journal.signatures import Keyring
from consumer.policy.schema import Policy
from consumer.policy_files.loading import load_policies

Loaded = TypeVar("Loaded")


class Inputs(NamedTuple):
    """Everything that is read before the service starts."""

    config: Config
    policy: Policy
    credentials: Credentials
    keyring: Keyring
    warnings: Sequence[str]


def load_inputs(path: Path | None, environment: Mapping[str, str], overrides: Sequence[str]) -> Inputs:
    """
    Read everything.

    Raises:
        Misconfigured: with every problem of all three, and what the environment has to no effect.
    """
    problems: list[str] = []
    config = tried(lambda: load_config(path, environment, overrides), problems)
    sound, broken = (config, frozenset[str]()) if config else load_sound_part(path, environment, overrides)
    policy = credentials = None
    if sound and "policy" not in broken:
        regions = () if "provider" in broken else [region.name for region in sound.provider.regions]
        policy = tried(lambda: load_policies(sound.policies, regions, config), problems)
    if sound and "provider" not in broken:
        credentials = tried(lambda: load_credentials(environment, sound.provider), problems)
    keys = tried(lambda: read_keys(sound.identity), problems) if sound and "identity" not in broken else None
    warnings = warnings_of(environment)
    if config is None or policy is None or credentials is None or keys is None:
        raise Misconfigured([*problems, *warnings])
    return Inputs(config, policy, credentials, Keyring(keys, config.identity.sign), warnings)


def tried(load: Callable[[], Loaded], problems: list[str]) -> Loaded | None:
    """What was loaded; None where it is wrong, and the problems are added to `problems`."""
    try:
        return load()
    except Misconfigured as error:
        problems += error.problems
        return None
