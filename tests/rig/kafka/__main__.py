"""
A Kafka for use by hand: `python -m tests.rig.kafka [--brokers 3] [--port 9092]`. Ctrl-C stops everything.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys

from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing
from tests.rig.kafka.jars import version


async def serve(brokers: int, port: int | None) -> None:
    """Keep a cluster up until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # By hand one rarely creates topics first.
    async with KafkaCluster.start(brokers, port=port, properties={"auto.create.topics.enable": "true"}) as kafka:
        print(f"Kafka {version()} is up. Bootstrap servers: {kafka.bootstrap_servers}")
        print(f"Data and logs: {kafka.folder}. Ctrl-C, or `kill {os.getpid()}`, stops it and removes them.", flush=True)
        await stop.wait()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig.kafka", description="Run a throw-away Apache Kafka.")
    parser.add_argument("--brokers", type=int, default=1, metavar="N", help="how many brokers (default: 1)")
    parser.add_argument("--port", type=int, metavar="N", help="the first broker's port (default: free ones)")
    asked = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(serve(asked.brokers, asked.port))
    except (ToolMissing, DownloadFailed, StartFailed) as error:
        sys.exit(f"No Kafka: {error}")


if __name__ == "__main__":
    main()
