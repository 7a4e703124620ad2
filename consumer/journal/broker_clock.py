"""
How far the brokers' clock is behind, where output topics have LogAppendTime. Values only.

Such outcomes carry the broker's time instead of ours. The journal is read from a moment of our clock on, so it must be
read from earlier by as much as the broker is behind, or what is published is not found, paid again, and published
again. The acknowledgement carries the broker's time.
"""

from dataclasses import dataclass

LOG_APPEND_TIME = 1  # Kafka's timestamp type
NO_TIME = (-1, 0, 1234)  # milliseconds: none, and what librdkafka's mock cluster answers, an older and a newer one


@dataclass(slots=True)
class BrokerClock:
    """The most that was seen, since the start of this process."""

    behind: float = 0.0  # seconds

    def notice(self, sent_at: float, timestamp: int, timestamp_type: int | None) -> float | None:
        """
        Look at an acknowledgement: when its record was sent (unix seconds), and its timestamp (milliseconds) and type.

        Return by how many seconds the broker is behind, where that is more than before by a tenth of a second.
        """
        if timestamp_type != LOG_APPEND_TIME or timestamp in NO_TIME:
            return None
        behind = sent_at - timestamp / 1000
        if behind <= self.behind:
            return None
        told = behind > self.behind + 0.1
        self.behind = behind
        return behind if told else None
