"""Compilers of the languages that subscribers are written in."""

import shutil

import pytest


@pytest.fixture
def javac() -> str:
    """A Java compiler, of 17 or newer."""
    return _command("javac")


@pytest.fixture
def go() -> str:
    """Any Go."""
    return _command("go")


@pytest.fixture
def maven() -> str:
    """What fetches the vendor's SDKs for Java."""
    return _command("mvn")


def _command(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not in the PATH")
    return found
