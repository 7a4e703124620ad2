"""
Stand-ins for what the service talks to, so that tests, a laptop and the demo need neither an account nor a cluster.

`running` and `serve` are the provider's API, real enough that the vendor's official SDK is a client of it; it judges
nothing, it answers by rules. `consumer.emulator.broker` is a Kafka broker, and `s3_signatures.py` verifies what readers
of the demo's private bucket sign. Nothing here imports the service's own code: a field misread in shared code would be
invisible to every test.
"""

from consumer.emulator.faults import Fault, Match, Throttle, What
from consumer.emulator.server import Emulator, build_app, running, serve
from consumer.emulator.settings import EmulatorSettings

__all__ = ["Emulator", "EmulatorSettings", "Fault", "Match", "Throttle", "What", "build_app", "running", "serve"]
