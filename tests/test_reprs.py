"""What is printed of our values, in a log line or a traceback, holds no credential. Each class is walked."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, SecretStr

import consumer
from consumer.alibaba.client import signed_call
from consumer.config.credentials import Credentials
from consumer.config.loading import load_config
from consumer.intake.decode import Bindings, Rules, decode
from consumer.locations import ByUrl
from consumer.moderation import ModerationRequest
from tests.rig.events import delivery, upload

CANARY = "canary-5e2"
BEARING = {
    "url", "value", "headers", "content", "body", "query", "context", "attrs", "extra", "password", "token", "secret",
    "access_key_id", "access_key_secret", "security_token", "proxy", "data", "form",
}  # fmt: skip
"""Members that hold a presigned URL, a secret, or what a stranger sent, which may hold either."""
HARMLESS = {
    ("consumer.proxies", "Proxy", "url"): "read_proxy keeps user and password apart from it",
    ("consumer.images.stores", "Asked", "url"): "signed by its headers; buckets and keys are in verdicts too",
    ("consumer.images.stores.addresses", "Endpoint", "url"): "checked to have neither user nor query",
    ("consumer.http.transport", "Sending", "proxy"): "a Proxy, which is walked itself",
    ("consumer.config.privacy", "PrivacySettings", "context"): "names of members",
    ("consumer.intake.decode.cloudevents", "Envelope", "data"): "a function",
    ("consumer.moderation.fetching", "FetchedImage", "format_name"): "one of a few words of ours",
    ("consumer.policy.language", "Match", "context"): "the policy's own",
    ("consumer.policy.ready", "Ready", "context"): "the policy's own",
    ("consumer.policy.backtest.gates", "Gate", "value"): "a number",
    ("consumer.policy.backtest.intervals", "Interval", "value"): "a number",
    ("consumer.emulator.faults", "Match", "url"): "a pattern of the tests'",
    ("consumer.emulator.rules", "Match", "url"): "a pattern of the rules'",
    ("consumer.emulator.faults", "What", "body"): "what a test has it answer",
    ("consumer.emulator.faults", "What", "headers"): "what a test has it answer",
    ("consumer.emulator.replies", "Reply", "body"): "what the rules have it answer",
    ("consumer.emulator.replies", "Reply", "headers"): "what the rules have it answer",
}


def classes() -> Iterator[type[Any]]:
    for module in pkgutil.walk_packages(consumer.__path__, "consumer."):
        if module.name == "consumer.__main__" or module.name.startswith("consumer.demo"):
            continue  # the demo's are made up
        for each in vars(importlib.import_module(module.name)).values():
            if isinstance(each, type) and each.__module__ == module.name:
                yield each


def members(each: type[Any]) -> list[str]:
    if dataclasses.is_dataclass(each):
        return [field.name for field in dataclasses.fields(each)]
    if issubclass(each, BaseModel):
        return list(each.model_fields)
    return list(getattr(each, "_fields", ())) if issubclass(each, tuple) else []


def filled(each: type[Any], name: str) -> Any:
    """A value of the class with a canary in one place, made past its own checks."""
    canary: Any = SecretStr(CANARY) if "SecretStr" in str(each.__annotations__.get(name)) else CANARY
    values = {member: canary if member == name else None for member in members(each)}
    if issubclass(each, BaseModel):
        return each.model_construct(**values)
    if issubclass(each, tuple):
        return each._make(values.values())  # type: ignore[attr-defined]
    made = object.__new__(each)
    for member, value in values.items():
        object.__setattr__(made, member, value)
    return made


WALKED = [(each, name) for each in classes() for name in members(each) if name in BEARING]


@pytest.mark.parametrize(("each", "name"), WALKED, ids=[f"{each.__qualname__}.{name}" for each, name in WALKED])
def test_no_value_prints_what_may_be_a_credential(each: type[Any], name: str) -> None:
    """
    Whatever holds a URL, a secret or a stranger's bytes leaves them out when it is printed.
    """
    if (each.__module__, each.__qualname__, name) in HARMLESS:
        return
    assert CANARY not in repr(filled(each, name))


def test_the_walk_reaches_what_it_is_about() -> None:
    """
    So that its finding nothing means something.
    """
    found = {f"{each.__qualname__}.{name}" for each, name in WALKED}

    assert {
        "ByUrl.url", "Image.url", "Credentials.security_token", "Credentials.access_key_secret", "Secrets.password",
        "SaslSettings.password", "ProviderSettings.proxy", "Proxy.password", "Delivery.value", "Encoded.value",
        "Submission.context", "Answered.content",
    } <= found  # fmt: skip


def test_what_is_read_asked_and_signed_prints_no_credential() -> None:
    """
    A message with presigned URLs, each of its images, the request and the call about one, the key, the configuration.
    """
    url = f"https://img.example.com/a.png?X-Amz-Signature={CANARY}"
    event = upload("e-1", url, context={"session": CANARY}, attrs={"token": CANARY})
    message = delivery(event, headers=(("authorization", CANARY.encode()),))
    secrets = {
        "MODERATION__KAFKA__SECURITY__PROTOCOL": "SASL_SSL",
        "MODERATION__KAFKA__SECURITY__SASL": f"{{mechanism: PLAIN, username: ada, password: {CANARY}}}",
        "MODERATION__PROVIDER__PROXY": f"http://ada:{CANARY}@proxy:3128",
    }
    config = load_config(None, secrets)
    submissions = decode(message, Bindings(()), "g", Rules.of(config))
    assert isinstance(submissions, Sequence)
    [submission] = submissions
    assert isinstance(submission.location, ByUrl)
    key = Credentials.model_validate({"access_key_id": CANARY, "access_key_secret": CANARY, "security_token": CANARY})
    call = signed_call(httpx.URL("https://a.example.com/"), "a.example.com", b"{}", key, 0.0)

    printed = repr(
        [message, submission, submission.image, submission.location, key, call, config,
         ModerationRequest(submission="s", location=submission.location, service="s")]
    )  # fmt: skip

    assert CANARY not in printed
    assert CANARY in submission.location.url
