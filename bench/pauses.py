"""
What a pause costs on this machine: the same work, done again at once and after a while: `python -m bench.pauses`.

A service that has a backlog does one event after the other; at 50 a second every event is a lone one, and code and data
have most likely left the CPU's caches meanwhile. How much that costs is the machine's: here it is seen without Kafka, a
provider or this service, as CPU of a thread that parses, changes and sorts one JSON document.
"""

import argparse
import json
import time
from statistics import median

PAUSES = (0.0, 0.0025, 0.005, 0.02, 0.04)  # seconds: back to back; 400, 200, 50 and 25 a second
DOCUMENT = json.dumps({"items": [{"number": number, "name": str(number)} for number in range(60)]})


def main() -> None:
    """Print the CPU of one piece of work by the pause before it, and how many times that without a pause it is."""
    parser = argparse.ArgumentParser(prog="python -m bench.pauses", description="What a pause costs on this machine")
    parser.add_argument("--pieces", type=int, default=300, help="pieces of work in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    options = parser.parse_args()
    rounds: list[list[float]] = [[_cpu(pause, options.pieces) for pause in PAUSES] for _ in range(options.rounds)]
    at_once, *_ = found = [median(column) for column in zip(*rounds, strict=True)]
    for pause, seconds in zip(PAUSES, found, strict=True):
        print(f"after {pause * 1_000:4.1f} ms: {seconds * 1e6:6.1f} µs, {seconds / at_once:.2f} × back to back")


def _cpu(pause: float, pieces: int) -> float:
    """Return the CPU seconds of one piece of work with a pause before each."""
    spent = 0.0
    for _ in range(pieces):
        if pause:
            time.sleep(pause)
        began = time.thread_time()
        _work()
        spent += time.thread_time() - began
    return spent / pieces


def _work() -> int:
    total = 0
    items = json.loads(DOCUMENT)["items"]
    for item in items:
        total += item["number"]
        item["seen"] = {"name": item["name"].upper(), "total": (total, item["number"])}
    return len(sorted(items, key=lambda item: -item["number"]))


if __name__ == "__main__":
    main()
