package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	keyOf        = "kafka_key"
	drainTimeout = 10 * time.Second
)

// input reads records one by one. What is committed lies behind the lowest record that has no outcome, and partitions
// that are revoked are let go of once what was begun of them has one.
type input struct {
	client  *kgo.Client
	fetched []*kgo.Record

	mutex  sync.Mutex
	open   map[int32]*partition
	closed bool
}

// partition holds what was handed on and has no commit yet, in the order of the offsets.
type partition struct {
	records []*kgo.Record
	done    map[int64]bool
}

func init() {
	must(service.RegisterInput("franz", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.Input, error) {
			return service.AutoRetryNacks(&input{open: map[int32]*partition{}}), nil
		}))
	must(service.RegisterOutput("franz", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.Output, int, error) {
			inFlight, err := strconv.Atoi(task("IN_FLIGHT"))
			return &output{}, inFlight, err
		}))
}

func (i *input) Connect(context.Context) error {
	session, err := strconv.Atoi(task("SESSION_TIMEOUT_MS"))
	if err != nil {
		return err
	}
	i.client, err = kgo.NewClient(
		kgo.SeedBrokers(task("BOOTSTRAP_SERVERS")),
		kgo.ConsumerGroup(task("GROUP")),
		kgo.ConsumeTopics(task("UPLOADS")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(time.Duration(session)*time.Millisecond),
		kgo.HeartbeatInterval(time.Duration(min(session/3, 3000))*time.Millisecond),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(time.Second),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
			i.drain(ctx, revoked[task("UPLOADS")])
			_ = client.CommitMarkedOffsets(ctx)
			i.forget(revoked[task("UPLOADS")])
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			i.forget(lost[task("UPLOADS")])
		}),
	)
	return err
}

func (i *input) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	for {
		if record := i.next(); record != nil {
			message := service.NewMessage(record.Value)
			message.MetaSetMut(keyOf, string(record.Key))
			return message, func(_ context.Context, err error) error {
				if err == nil {
					i.settle(record)
				}
				return err
			}, nil
		}
		fetches := i.client.PollRecords(ctx, 1000)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return nil, nil, service.ErrEndOfInput
		}
		i.mutex.Lock()
		i.fetched = fetches.Records()
		i.mutex.Unlock()
	}
}

// next hands on a fetched record, which is open from here on.
func (i *input) next() *kgo.Record {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if len(i.fetched) == 0 {
		return nil
	}
	record := i.fetched[0]
	i.fetched = i.fetched[1:]
	of := i.open[record.Partition]
	if of == nil {
		of = &partition{done: map[int64]bool{}}
		i.open[record.Partition] = of
	}
	of.records = append(of.records, record)
	return record
}

// settle marks what no open record lies before.
func (i *input) settle(record *kgo.Record) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	of := i.open[record.Partition]
	if of == nil { // another replica has it now
		return
	}
	of.done[record.Offset] = true
	for len(of.records) > 0 && of.done[of.records[0].Offset] {
		first := of.records[0]
		delete(of.done, first.Offset)
		of.records = of.records[1:]
		i.client.MarkCommitRecords(first)
	}
}

// drain lets go of what was fetched and not begun, and waits until what was begun has its outcome.
func (i *input) drain(ctx context.Context, partitions []int32) {
	i.mutex.Lock()
	var kept []*kgo.Record
	for _, record := range i.fetched {
		if !contains(partitions, record.Partition) {
			kept = append(kept, record)
		}
	}
	i.fetched = kept
	i.mutex.Unlock()
	for began := time.Now(); time.Since(began) < drainTimeout && ctx.Err() == nil && i.holds(partitions); {
		time.Sleep(5 * time.Millisecond)
	}
}

func (i *input) holds(partitions []int32) bool {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.closed { // all that was begun has its outcome, or never will
		return false
	}
	for _, number := range partitions {
		if of := i.open[number]; of != nil && len(of.records) > 0 {
			return true
		}
	}
	return false
}

func (i *input) forget(partitions []int32) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	for _, number := range partitions {
		delete(i.open, number)
	}
}

func (i *input) Close(ctx context.Context) error {
	i.mutex.Lock()
	client, closed := i.client, i.closed
	i.closed = true
	i.mutex.Unlock()
	if client != nil && !closed {
		_ = client.CommitMarkedOffsets(ctx)
		client.Close()
	}
	return nil
}

func contains(numbers []int32, wanted int32) bool {
	for _, number := range numbers {
		if number == wanted {
			return true
		}
	}
	return false
}

type output struct{ client *kgo.Client }

func (o *output) Connect(context.Context) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(task("BOOTSTRAP_SERVERS")),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), // as the others: a lone verdict does not wait
	)
	o.client = client
	return err
}

func (o *output) Write(ctx context.Context, message *service.Message) error {
	value, err := message.AsBytes()
	if err != nil {
		return err
	}
	key, _ := message.MetaGet(keyOf)
	record := &kgo.Record{Topic: task("PASSED"), Key: []byte(key), Value: value}
	return o.client.ProduceSync(ctx, record).FirstErr()
}

func (o *output) Close(context.Context) error {
	if o.client != nil {
		o.client.Close()
	}
	return nil
}
