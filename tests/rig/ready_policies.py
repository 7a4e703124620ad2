"""Policies that do not change, for tests that are about something else."""

from collections.abc import Callable
from typing import Any

from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.schema import Policy, PolicySettings


def policy(version: int = 1, **settings: Any) -> Policy:
    """A policy of these settings, whose digest is its version."""
    written = PolicySettings.model_validate({"policy": "of-a-test", "version": version, **settings})
    return Policy(settings=written, sha256=f"{version:064x}")


def asking(*services: str, info: tuple[str, ...] = ()) -> Callable[[], ReadyPolicy]:
    """The policy in force: one that asks these services."""
    return InForce(ReadyPolicy(policy(services=services, info=info))).ready
