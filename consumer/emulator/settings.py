"""Every setting of the emulator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    DirectoryPath,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from consumer.emulator.faults import Fault
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.rules import Rule, read_rules
from consumer.loopback import is_loopback

Region = Literal[
    "ap-southeast-1", "eu-west-1", "us-east-1", "us-west-1", "eu-central-1",
    "cn-shanghai", "cn-beijing", "cn-hangzhou", "cn-shenzhen", "cn-chengdu",
]  # fmt: skip
"""Vendor: the regions of the 2.0 API: Singapore, London, Virginia, Silicon Valley, Frankfurt, and five in mainland
China. The mainland has other services than the rest."""


def _read_if_path(rules: object) -> object:
    if not isinstance(rules, str | Path):
        return rules
    try:
        return read_rules(Path(rules))
    except ValidationError:
        raise
    except (OSError, yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML raises more than its own error: for a date such as 2020-99-99, for 5,000 digits, for 5,000 brackets.
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise ValueError(f"cannot read the rules in {rules}: {reason}") from error


def _is_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is no host name: {error}") from error
    return host


def _in_order(latency: float | tuple[float, float]) -> float | tuple[float, float]:
    if isinstance(latency, tuple) and latency[0] > latency[1]:
        raise ValueError("the lower latency comes first")
    return latency


class EmulatorSettings(BaseModel):
    """What the emulated provider is like. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beyond_loopback: bool = Field(
        False,
        description="Listen on other addresses than loopback: whoever reaches it can read its calls and, through it, "
        "learn which URLs this machine reaches.",
    )
    host: Annotated[str, AfterValidator(_is_host)] = "127.0.0.1"
    names: tuple[str, ...] = Field(
        (), description="Host names by which it may be called, beside localhost, addresses and `host`."
    )
    port: int = Field(0, ge=0, le=65535, description="Of the first region; 0 takes a free one.")
    regions: tuple[Region, ...] = Field(
        ("ap-southeast-1",),
        description="Each listens on its own port: the first on `port`, the next on `port` + 1 and so on.",
    )
    access_key_id: str = Field("emulated-access-key-id", repr=False)
    access_key_secret: SecretStr = SecretStr("emulated-access-key-secret")
    security_token: SecretStr | None = Field(None, description="Makes the key a temporary one: calls must carry this.")
    security_token_expiry: float | None = Field(
        None, description="Unix seconds from which on that token is answered as expired; none: never."
    )
    clock_ahead: float = Field(
        0.0, description="Seconds that the provider's clock is ahead of this machine's, where it looks at signatures."
    )
    qps: PositiveInt = Field(100, description="Calls accepted in any second, of all regions together.")
    uid: str = Field("1000000000000001", description="The account's id, as DescribeUserStatus tells it.")
    libraries: PositiveInt = Field(
        10, description="How many libraries of each kind the account may have. The provider's are 10 image libraries."
    )
    library_qps: PositiveInt = Field(
        10, description="Calls accepted in any second of each operation on libraries. The provider's are 10."
    )
    scan_images: PositiveInt = Field(
        50, description="Images that the 1.0 API accepts in any second, of all regions together. The provider's are 50."
    )
    scan_tasks: PositiveInt = Field(
        100,
        description="Tasks, or ids of tasks, in one call of the 1.0 API. The provider's are not documented.",
    )
    scan_seconds: NonNegativeFloat = Field(
        0.0, description="Seconds that an asynchronous task of the 1.0 API takes, beside the latency."
    )
    scan_pending: NonNegativeInt = Field(
        1, description="How often an asynchronous task is said to be in progress before its result is given."
    )
    scan_kept: PositiveFloat = Field(
        3600.0, description="Seconds that an asynchronous task's result is kept. The provider's are 3,600."
    )
    callback_hosts: tuple[str, ...] = Field((), description="Hosts that callbacks may go to, beside loopback.")
    callback_pause: NonNegativeFloat = Field(
        1.0, description="Seconds between the attempts of a callback. The provider's are not documented."
    )
    feedback_qps: PositiveInt = Field(
        20, description="Calls with feedback accepted in any second. The provider's are 20."
    )
    latency: Annotated[NonNegativeFloat | tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_in_order)] = Field(
        0.0, description="Seconds from arrival to answer, fixed or drawn evenly from [low, high]. Refusals are quicker."
    )
    latency_seed: int = Field(0, description="Of the draws from [low, high].")
    rules: Annotated[tuple[Rule, ...], BeforeValidator(_read_if_path)] = Field(
        (), description="Which verdict which image gets, or the path of a YAML file that says so."
    )
    oss: Mapping[str, DirectoryPath | Mapping[str, bytes]] = Field(
        default_factory=dict,
        description="Buckets by name: a folder whose files are the objects, or the objects' bytes by name. The "
        "provider reads them, and the object store gives their objects to whoever signs with the account's key.",
    )
    unauthorised: tuple[str, ...] = Field(
        (),
        description="Globs on names of buckets that the account has not authorised the provider to read, whether they "
        "are in `oss` or not: Code 408. Those that take uploads need no authorisation.",
    )
    token_lifetime: PositiveFloat = Field(3600.0, description="Seconds that an upload token is valid.")
    object_lifetime: PositiveFloat = Field(
        1800.0, description="Seconds that an uploaded object lives. The provider's are 1,800."
    )
    store_bytes: int = Field(
        512 * 1024 * 1024, ge=MAX_BYTES, description="Bytes of uploaded objects kept; when full, the oldest go."
    )
    faults: tuple[Fault, ...] = Field((), description="What goes wrong from the start on.")
    download_timeout: PositiveFloat = Field(3.0, description="Seconds an image's URL may take. The provider's are 3.")
    calls_kept: PositiveInt = Field(100_000, description="Length of the call log, about 0.5 KB of memory each.")

    @field_validator("host")
    @classmethod
    def _is_near(cls, host: str, info: ValidationInfo) -> str:
        if not is_loopback(host) and not info.data.get("beyond_loopback"):
            raise ValueError(
                "is beyond loopback: whoever reaches it can read its calls and, through it, learn which URLs this "
                "machine reaches; say --beyond-loopback (beyond_loopback) if all who do may"
            )
        return host

    @field_validator("regions")
    @classmethod
    def _have_ports(cls, regions: tuple[Region, ...], info: ValidationInfo) -> tuple[Region, ...]:
        if not regions:
            raise ValueError("name at least one")
        if len(set(regions)) < len(regions):
            raise ValueError("each region can be named once")
        if (port := info.data.get("port", 0)) and port + len(regions) > 65536:
            raise ValueError("there are not enough ports above `port` for all regions")
        return regions
