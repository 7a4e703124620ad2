"""Fixtures for every suite. What they are made of stands beside what it is about."""

pytest_plugins = [
    "tests.rig.kafka.fixtures",
    "tests.rig.amazon",
    "tests.helm.fixtures",
    "tests.rig.needs",
    "tests.rig.sharing",
    "tests.rig.slow_machines",
    "tests.rig.telling",
]
