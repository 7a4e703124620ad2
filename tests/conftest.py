"""Fixtures for every suite. What they are made of stands beside what it is about."""

pytest_plugins = ["tests.kafka.fixtures", "tests.helm.fixtures", "tests.needs", "tests.sharing"]
