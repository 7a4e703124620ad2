"""
What the breaker of blocks costs: CPU for one image, and memory when it is full: `python -m bench.block_shares`.

A tenth is blocked, of 10,000 tenants; each image is of another subject, and as many leave the window as come. Times are
of the process's CPU, the median of the rounds. Ends with status 1 where a bound does not hold.
"""

import argparse
import sys
import time
import tracemalloc
from itertools import count, islice
from statistics import median

from consumer.policy.block_shares import BOUNDS, BlockLimits, BlockShares

LIMITS = BlockLimits(window=600.0, least=200, share=0.15)
MOST_MICROSECONDS = 15.0
MOST_BYTES = 25_000_000


def main() -> None:
    """Parse the command line, measure, and print a line for each part."""
    parser = argparse.ArgumentParser(prog="python -m bench.block_shares", description="cost of the breaker of blocks")
    parser.add_argument("--images", type=int, default=20_000, help="counted in a round")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    numbers = count()
    tracemalloc.start()
    shares = BlockShares(LIMITS)
    _count(shares, list(islice(numbers, BOUNDS.images)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    costs = [_count(shares, list(islice(numbers, options.images))) for _ in range(options.rounds)]
    print("| part | | at most |\n|---|---|---|")
    print(f"| CPU of one image | {median(costs):.1f} µs | {MOST_MICROSECONDS:.0f} µs |")
    print(f"| memory of {shares.counted:,} images | {held / 1e6:.1f} MB | {MOST_BYTES / 1e6:.0f} MB |")
    sys.exit(int(median(costs) > MOST_MICROSECONDS or held > MOST_BYTES))


def _count(shares: BlockShares, numbers: list[int]) -> float:
    """Count images, and return the microseconds of CPU for one."""
    images = [(f"tenant-{n % 10_000}", f"user-{n}/avatar", n * 0.001, n % 10 == 0) for n in numbers]
    began = time.process_time()
    for tenant, subject, now, is_block in images:
        shares.note(tenant, subject, now, is_block=is_block)
    return (time.process_time() - began) / len(images) * 1e6


if __name__ == "__main__":
    main()
