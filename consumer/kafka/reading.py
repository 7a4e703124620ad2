"""
An aiokafka consumer that no record ends: what it cannot read is decided, and everything else arrives.

aiokafka 0.14 raises from `getmany` what it cannot parse, throws away what it had taken from other partitions, and
unpacks without bound. Here a batch is opened by `PartitionRecords`, in place of aiokafka's class of that name:

    frame, header ──► checksum ──► unpacked, bounded ──► aiokafka's compiled reader ──► records
                                                          └─ gives up ──► read again with care (`batches.py`)

What stays unreadable is a `Damage`, and `decide` says what becomes of it: nothing yet (the partition is paused, and
fetched again once it is resumed), or a `Skip`, with the batch delivered as an `UnreadableRecord` or without.

`tests/contract/test_reading.py` would notice if another aiokafka did otherwise.
"""

from collections.abc import Generator, Iterable
from types import FunctionType, MethodType
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch

from consumer.kafka.batches import HEADER, Damaged, Frame, Header, Record, frame_at, header_of, legacy_records, records
from consumer.kafka.unpacking import Garbled, TooLarge, codec_name, unpack
from consumer.kafka.unreadable import DAMAGED, TOO_LARGE, Damage, Decide, Skip, UnreadableRecord
from consumer.records import Unreadable, size_of

_TRANSACTIONAL, _CONTROL = 0x10, 0x20


class Reader(Protocol):
    """What the records of a fetch ask of their consumer."""

    max_batch_bytes: int
    room: int
    """Bytes of records that this poll may still bring."""

    def met(self, damage: Damage) -> Skip | None: ...

    def known_end(self, partition: TopicPartition) -> int | None: ...

    def hold(self, owner: "PartitionRecords", size: int) -> None: ...

    def let_go(self, owner: "PartitionRecords") -> None: ...


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An AIOKafkaConsumer from whose `getmany` no batch makes an error."""

    def __init__(self, *topics: str, max_batch_bytes: int, decide: Decide, **options: Any) -> None:
        self.max_batch_bytes = self.room = max_batch_bytes
        self._decide = decide
        self._unpacked: WeakKeyDictionary[PartitionRecords, int] = WeakKeyDictionary()  # bytes; the oldest first
        super().__init__(*topics, **options)

    @property
    def _fetcher(self) -> Any:
        return self._reading

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        """aiokafka makes its fetcher as it starts, and that fetches before `start` returns."""
        self._reading = fetcher
        if fetcher is None:
            return
        fetcher._client = _Client(fetcher._client)
        names = vars(aiokafka_fetcher) | {
            "MemoryRecords": Fetched,
            "PartitionRecords": self._partition_records,
            "FetchResult": FetchResult,
        }
        for name in ("_proc_fetch_request", "fetched_records"):
            theirs = getattr(aiokafka_fetcher.Fetcher, name)
            ours = FunctionType(theirs.__code__, names, name, theirs.__defaults__, theirs.__closure__)
            setattr(fetcher, name, MethodType(ours, fetcher))

    async def getmany(self, *partitions: TopicPartition, **options: Any) -> dict[TopicPartition, list[ConsumerRecord]]:
        """As aiokafka's, but for the bytes: no more than `max_batch_bytes` and one record, whatever their number."""
        self.room = self.max_batch_bytes
        polled: dict[TopicPartition, list[ConsumerRecord]] = await super().getmany(*partitions, **options)
        return polled

    def _partition_records(self, *options: Any) -> "PartitionRecords":
        return PartitionRecords(self, *options)

    def met(self, damage: Damage) -> Skip | None:
        """Decide about a batch, and pause its partition where it is not skipped."""
        skip = self._decide(damage)
        if skip is None:
            self.pause(damage.partition)
        return skip

    def known_end(self, partition: TopicPartition) -> int | None:
        """The partition's end according to the latest fetch."""
        found = self.highwater(partition)
        return found if found is not None and found >= 0 else None

    def hold(self, owner: "PartitionRecords", size: int) -> None:
        """Note what a partition has unpacked. Others let go of theirs where all together exceed the bound."""
        self._unpacked.pop(owner, None)
        others = list(self._unpacked.items())
        held = size + sum(each for _, each in others)
        for other, each in others:
            if held <= self.max_batch_bytes:
                break
            other.release()
            self._unpacked.pop(other, None)
            held -= each
        self._unpacked[owner] = size

    def let_go(self, owner: "PartitionRecords") -> None:
        self._unpacked.pop(owner, None)


class _Client:
    """aiokafka's client, for its fetcher: a batch that the broker itself cannot read becomes a batch that we cannot."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        response = await self._client.send(node, request, **options)
        if isinstance(request, FetchRequest):
            response.topics = [
                (topic, [_readable(each) for each in partitions]) for topic, partitions in response.topics
            ]
        return response


def _readable(partition: Any) -> Any:
    number, error, end, *rest = partition
    return (number, 0, end, *rest[:-1], None) if error == CorruptRecordException.errno else partition


class Fetched:
    """What was fetched of a partition, in place of aiokafka's MemoryRecords; None where the broker cannot read it."""

    __slots__ = ("content",)

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def has_next(self) -> bool:
        """Whether there is anything to look at, readable or not."""
        return self.content is None or len(self.content) > 0

    def size_in_bytes(self) -> int:
        return len(self.content or b"")


class FetchResult(aiokafka_fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of a partition, from which a poll takes no more than it has room for."""

    _partition_records: "PartitionRecords | None"

    def getall(self, max_records: int | None = None) -> list[ConsumerRecord]:
        """Take records in their order; those that are left are for the next poll."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        fetched = self._partition_records
        assert fetched is not None, "has_more says so"
        consumer, taken = fetched._consumer, list[ConsumerRecord]()
        if consumer.room <= 0:
            return taken
        for record in fetched:
            taken.append(record)
            consumer.room -= size_of(record.key, record.value, record.headers)
            if consumer.room <= 0 or (max_records is not None and len(taken) >= max_records):
                self._update_position()
                return taken
        self._update_position()
        self._partition_records = None
        return taken


class PartitionRecords(aiokafka_fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition. Iterating raises nothing."""

    next_fetch_offset: int
    _records_iterator: Generator[Any, None, None] | None

    def __init__(self, consumer: Reader, *options: Any) -> None:
        self._consumer = consumer
        self._at = 0  # where in what was fetched the batch begins that is being read
        self._plain = memoryview(b"")  # its records, unpacked
        super().__init__(*options)
        self._fetch_offset = self.next_fetch_offset

    def release(self) -> None:
        """Let go of what is unpacked: the batch is opened again when it is read on."""
        if self._records_iterator is not None:
            self._records_iterator.close()
            self._plain = memoryview(b"")
            self._records_iterator = self._unpack_records()

    def _unpack_records(self) -> Generator[Any, None, None]:
        fetched: bytes | None = self._records.content
        if fetched is None:
            yield from self._met(DAMAGED, "the broker itself cannot read it", b"", None, None)
            return
        tp = self._tp
        while self._at < len(fetched):
            frame = header = None
            try:
                if (frame := frame_at(fetched, self._at)) is None:
                    break
                header = header_of(fetched, frame.start) if frame.magic > 1 else None
                batch = self._legacy(fetched, frame) if header is None else self._open(fetched, frame, header)
                behind = frame.base_offset + 1 if header is None else header.last_offset + 1
            except (Damaged, Garbled, TooLarge) as error:
                why = TOO_LARGE if isinstance(error, TooLarge) else DAMAGED
                if not (yield from self._met(why, str(error), fetched, frame, header)):
                    return
                continue
            try:
                for record in batch:
                    if record.offset < self.next_fetch_offset:
                        continue  # before what was asked for
                    if record.offset >= behind:
                        raise IndexError  # noqa: TRY301 — read with care it says why
                    consumer_record = self._consumer_record(tp, record)
                    self.next_fetch_offset = record.offset + 1
                    yield consumer_record
            except Exception:  # noqa: BLE001 — whatever aiokafka's reader raises: it is read again
                if not (yield from self._carefully(fetched, frame, header)):
                    return
                if self._at != frame.start:
                    continue  # it was skipped
            self._end_batch(frame, behind)
        # A broker cuts what it sends at a number of bytes, but sends one whole batch at least.
        if self.next_fetch_offset == self._fetch_offset:
            yield from self._met(DAMAGED, "no whole batch at this offset was fetched", fetched, None, None)

    def _end_batch(self, frame: Frame, behind: int) -> None:
        self.next_fetch_offset = max(self.next_fetch_offset, behind)
        self._at = frame.end
        self._plain = memoryview(b"")
        self._consumer.let_go(self)

    def _open(self, fetched: bytes, frame: Frame, header: Header) -> Iterable[Any]:
        """The records of a batch of format 2, none if no consumer may see them. What it holds is looked at later."""
        if header.last_offset_delta < 0 or not 0 <= header.record_count <= header.last_offset_delta + 1:
            raise Damaged(f"{header.record_count} records for {header.last_offset_delta + 1} offsets")
        end = self._consumer.known_end(self._tp)
        if end is not None and header.base_offset > end:
            raise Damaged(f"it begins at {header.base_offset}, and the partition ends at {end}")
        view = memoryview(fetched)[frame.start : frame.end]
        batch = DefaultRecordBatch(view)
        if self._check_crcs and not batch.validate_crc():
            raise Damaged("its checksum is wrong")
        self._plain = view[HEADER.size :]
        if self._isolation_level == aiokafka_fetcher.READ_COMMITTED and self._is_aborted(header):
            return ()
        if header.attributes & _CONTROL or header.last_offset < self.next_fetch_offset:
            return ()
        if header.codec and header.record_count:
            plain = unpack(header.codec, self._plain, self._consumer.max_batch_bytes, header.unpacked())
            self._consumer.hold(self, len(plain))
            self._plain = memoryview(plain)[HEADER.size :]
            batch = DefaultRecordBatch(plain)
        found: Iterable[Any] = batch
        return found

    def _is_aborted(self, header: Header) -> bool:
        """Whether the batch's transaction was aborted; a batch that ends one is taken note of."""
        self._consume_aborted_up_to(header.base_offset)
        if header.attributes & _CONTROL:
            marker = next(records(header, self._plain), None)
            if marker is None or marker.key is None or len(marker.key) < 4:
                raise Damaged("a control batch without its record")
            if ControlRecord.parse(marker.key) == ABORT_MARKER:
                self._aborted_producers.discard(header.producer_id)
        return bool(header.attributes & _TRANSACTIONAL) and header.producer_id in self._aborted_producers

    def _legacy(self, fetched: bytes, frame: Frame) -> list[Record]:
        bound = self._consumer.max_batch_bytes
        return legacy_records(memoryview(fetched)[frame.start : frame.end], frame.magic, bound)

    def _carefully(self, fetched: bytes, frame: Frame, header: Header | None) -> Generator[Any, None, bool]:
        """Read again, from where aiokafka's reader gave up; the generator's value is whether to go on behind it."""
        if header is None:  # it was read with care already
            return (yield from self._met(DAMAGED, "messages out of order", fetched, frame, None))
        try:
            for record in records(header, self._plain):
                if record.offset >= self.next_fetch_offset:
                    consumer_record = self._consumer_record(self._tp, record)
                    self.next_fetch_offset = record.offset + 1
                    yield consumer_record
        except Exception as error:  # noqa: BLE001 — nothing may escape from `getmany`
            detail = str(error) if isinstance(error, Damaged) else type(error).__name__
            return (yield from self._met(DAMAGED, detail, fetched, frame, header))
        return True

    def _met(
        self, why: str, detail: str, fetched: bytes, frame: Frame | None, header: Header | None
    ) -> Generator[Any, None, bool]:
        """What cannot be read, as it is decided; the generator's value is whether to go on behind it."""
        self._consumer.let_go(self)
        if self.next_fetch_offset != self._fetch_offset and why == DAMAGED:
            return False  # what came before is delivered first; then it is fetched again
        offset = self.next_fetch_offset
        if why == TOO_LARGE and header is not None:
            offset = max(offset, header.base_offset)  # what lay before is compacted away
        behind = self._behind(fetched, frame, header)
        skip = self._consumer.met(Damage(self._tp, offset, why, detail, behind))
        if skip is None or skip.to <= offset:
            return False
        self.next_fetch_offset = skip.to
        if skip.deliver:
            raw = fetched[frame.start : frame.end] if frame else fetched[self._at :]
            yield self._unreadable(offset, skip.to, why, detail, raw, header)
        if frame is None:
            return False
        self._at = frame.end
        return True

    def _behind(self, fetched: bytes, frame: Frame | None, header: Header | None) -> int | None:
        """The offset behind a batch: the next batch's, or else what its own header says, if that can be."""
        if frame is None:
            return None
        end = self._consumer.known_end(self._tp)
        found = []
        try:
            following = frame_at(fetched, frame.end)
            if following and following.magic > 1:
                view = memoryview(fetched)[following.start : following.end]
                found = [following.base_offset] if DefaultRecordBatch(view).validate_crc() else []
        except Damaged:
            pass
        if header is not None:
            found.append(header.last_offset + 1)
        elif frame.magic < 2:
            found.append(frame.base_offset + 1)
        offset = self.next_fetch_offset
        return next((each for each in found if offset < each and (end is None or each <= end)), None)

    def _unreadable(self, offset: int, to: int, why: str, detail: str, raw: bytes, header: Header | None) -> Any:
        believed = header if why == TOO_LARGE else None  # a damaged header tells no time: ids are made of it
        told = Unreadable(
            reason=why,
            detail=detail,
            first_offset=offset,
            last_offset=to - 1,
            count=header.record_count if header is not None else to - offset,
            codec=codec_name(header.codec) if header is not None else "unknown",
        )
        timestamp = believed.timestamp if believed is not None else -1
        tp = self._tp
        return UnreadableRecord(
            tp.topic, tp.partition, offset, timestamp, 0, None, raw, None, -1, len(raw), (), unreadable=told
        )

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:
        key, value = record.key, record.value
        return ConsumerRecord(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            key,
            value,
            record.checksum,
            len(key) if key is not None else -1,
            len(value) if value is not None else -1,
            tuple(record.headers),
        )
