"""
An aiokafka producer that knows for certain what a broker refused.

What aiokafka 0.14 does is not enough for that:
- It does not know INVALID_RECORD, which becomes `UnknownError`, and so a doubt.
- One record that is refused fails its whole batch with the same error: here `Refused` says whether it was alone.
- A batch is numbered before it is sent, and one that is refused leaves a gap, behind which the broker refuses
  everything (`OutOfOrderSequenceNumber`). A partition has one batch on its way at most, and a broker that refuses a
  batch by one of these codes has appended nothing of it, so its number is taken back, and no gap is left.

`tests/contract/test_refusals.py` would notice if another aiokafka did otherwise.
"""

from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import BrokerResponseError, KafkaError, kafka_errors
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.producer.transaction_manager import TransactionManager

REFUSALS = {
    10: "MESSAGE_TOO_LARGE",
    18: "RECORD_LIST_TOO_LARGE",
    29: "TOPIC_AUTHORIZATION_FAILED",
    32: "INVALID_TIMESTAMP",
    43: "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    44: "POLICY_VIOLATION",
    87: "INVALID_RECORD",
}
"""Kafka's protocol: the codes by which a broker says that it has appended nothing of a batch, and will not."""

TOO_LARGE = frozenset({"MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"})


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """A broker's validation refused a record, such as one without a key in a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "This record has failed the validation on the broker."


kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)


class Refused(KafkaError):  # type: ignore[misc]
    """Certainly not written. `word` is Kafka's name for the reason; `alone`: nothing else can be meant by it."""

    def __init__(self, word: str, alone: bool) -> None:
        super().__init__(word, alone)  # aiokafka copies it for each record of the batch
        self.word = word
        self.alone = alone

    @property
    def too_large(self) -> bool:
        """Whether something smaller might be taken."""
        return self.word in TOO_LARGE


def refusal(error: BaseException, *, alone: bool) -> Refused | None:
    """Say whether an error of the broker's, or of the client's own check, proves that nothing was written."""
    if isinstance(error, Refused):
        return error
    word = REFUSALS.get(error.errno) if isinstance(error, BrokerResponseError) else None
    return Refused(word, alone) if word else None


class Batch(MessageBatch):  # type: ignore[misc]
    """A batch whose refusal leaves no gap, and says whether it held one record."""

    def __init__(self, tp: TopicPartition, builder: BatchBuilder, ttl: float, linger: float, owner: "Accumulator"):
        super().__init__(tp, builder, ttl, linger)
        self._transactions: TransactionManager | None = owner._txn_manager
        self._base_sequence: int | None = None

    def set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._base_sequence = base_sequence
        super().set_producer_state(producer_id, producer_epoch, base_sequence)

    def failure(self, exception: BaseException) -> None:
        refused = refusal(exception, alone=self.record_count == 1)
        if refused is not None and self.retry_count > 1:
            # An earlier attempt, whose answer never came, may have been written: to take its number back would let the
            # broker take the next batch for a repetition, and throw it away.
            super().failure(KafkaError(f"{refused.word}, after an attempt whose result is not known"))
            return
        if refused is not None and self._transactions is not None and self._base_sequence is not None:
            self._transactions._sequence_numbers[self.tp] = self._base_sequence
        super().failure(refused or exception)


class Accumulator(MessageAccumulator):  # type: ignore[misc]
    """Makes batches of ours."""

    def _append_batch(self, builder: BatchBuilder, tp: TopicPartition) -> Batch:
        if self._txn_manager is not None:
            self._txn_manager.maybe_add_partition_to_txn(tp)
        batch = Batch(tp, builder, self._batch_ttl, self._linger_time, self)
        self._batches[tp].append(batch)
        if not self._waiter_future.done():
            self._waiter_future.set_result(None)
        return batch


def producer(**options: Any) -> AIOKafkaProducer:
    """Make a producer whose `send_and_wait` raises `Refused` for what was certainly not written."""
    made = AIOKafkaProducer(**options)
    made._message_accumulator.__class__ = Accumulator
    return made


def shrink_batches(client: AIOKafkaProducer, most: int) -> None:
    """Let the producer's next batches have at most so many bytes; a single record may be larger."""
    client._message_accumulator._batch_size = most
