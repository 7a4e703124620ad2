"""What the log says of brokers that are called without TLS."""

from pathlib import Path

import orjson

from tests.rig.replica import Replica


async def test_brokers_in_clear_are_logged_once(tmp_path: Path) -> None:
    """
    At the start, with the protocol and the hosts on other machines, whether or not these answer.
    """
    config = {"kafka": {"bootstrap_servers": "127.0.0.1:1,kafka.invalid:9092"}}

    async with Replica.started(tmp_path, config) as replica:
        await replica.until(lambda status, text: status == 503 and "kafka: " in text)
        replica.terminate()
        await replica.ended()

    lines = [orjson.loads(line) for line in replica.log.read_text().splitlines()]
    [line] = [line for line in lines if line["event"] == "kafka.clear_text"]
    assert (line["level"], line["protocol"], line["hosts"]) == ("warning", "PLAINTEXT", ["kafka.invalid"])
