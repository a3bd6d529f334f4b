import { describe, expect, onTestFinished, test } from 'vitest';
import { DEFAULT_MAX_MESSAGE_BYTES, watchTopic } from '../../../../agent/publish/topic-view.ts';
import { SkaldError } from '../../../../shared/errors.ts';
import type { ClusterView, KafkaCluster } from '../../../../shared/kafka/cluster.ts';
import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../../shared/kafka/protocol.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { recordedLog } from '../recorded-log.ts';
import { someView } from './some-view.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const TOPIC_AUTHORIZATION_FAILED = 29;
const METADATA_MAX_AGE_MS = 60_000;
const never = new AbortController().signal;

function setUp(initial: { topicError?: number; leaders?: number[]; limitError?: number } = {}) {
  const clock = simClock(0);
  const { logger, lines } = recordedLog();
  const state = {
    questions: 0,
    limitQuestions: 0,
    leaders: initial.leaders ?? [1, 2, 3],
    topicError: initial.topicError ?? 0,
    failure: undefined as SkaldError | undefined,
    limit: { errorCode: initial.limitError ?? 0, value: '2000000' },
  };
  const metadata = (topics: readonly string[]): Promise<ClusterView> => {
    state.questions += 1;
    if (state.failure !== undefined) return Promise.reject(state.failure);
    const view = someView(state.leaders);
    const info = { topic: topics[0]!, errorCode: state.topicError, partitions: view.partitions };
    const known = { clusterId: 'c', controllerId: 1, brokers: view.brokers };
    return Promise.resolve({ ...known, topics: new Map([[info.topic, info]]) });
  };
  const describeConfigs = <T>(request: KafkaRequest<T>): T => {
    state.limitQuestions += 1;
    const answer = new ProtocolWriter()
      .int32(0)
      .array([0], () => {})
      .int16(state.limit.errorCode);
    answer.nullableString(undefined).int8(2).string('logs');
    if (state.limit.errorCode !== 0) answer.array([], () => {});
    else {
      answer
        .array([0], () => {})
        .string('max.message.bytes')
        .nullableString(state.limit.value);
      answer
        .boolean(false)
        .int8(1)
        .boolean(false)
        .array([], () => {});
    }
    return request.decode(new ProtocolReader(answer.finish()));
  };
  const cluster: KafkaCluster = {
    metadata,
    send: () => Promise.reject(new Error('not asked for')),
    sendToAny: (request) => Promise.resolve(describeConfigs(request)),
    close: () => Promise.resolve(),
  };
  const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
  const options = { metadataMaxAgeMs: METADATA_MAX_AGE_MS, clock, random: () => 0.5, logger, log };
  const watch = watchTopic(cluster, 'logs', options);
  onTestFinished(() => watch.close());
  return { clock, lines, state, watch };
}

describe('the first view', () => {
  test('comes with leaders, racks and the size limit of the topic', async () => {
    const { clock, watch } = setUp();
    const first = watch.first(never);
    await clock.advance(1);
    expect(await first).toEqual(someView([1, 2, 3]));
    expect(watch.maxMessageBytes).toBe(2_000_000);
    expect(await watch.first(never)).toBe(watch.view);
  });

  test('of a topic that does not exist is waited for: said, and there as soon as somebody creates it', async () => {
    const { clock, watch, state, lines } = setUp({ topicError: UNKNOWN_TOPIC_OR_PARTITION });
    let first: unknown;
    void watch.first(never).then((view) => {
      first = view;
    });
    await watch.refresh();
    await clock.advance(120_000);
    expect(first).toBeUndefined();
    const warned = lines.filter((line) => line.level === 'warn');
    expect(warned[0]!.fields['err']).toMatchObject({
      code: 'KAFKA_TOPIC_MISSING',
      message: expect.stringContaining('UNKNOWN_TOPIC_OR_PARTITION'),
    });
    expect(warned.length).toBeLessThanOrEqual(3); // two minutes, at most a line each and the first
    state.topicError = 0;
    await clock.advance(10_000);
    expect(first).toEqual(someView([1, 2, 3]));
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: expect.stringContaining('again') });
  });

  test('is undefined for who stops waiting', async () => {
    const { watch } = setUp({ topicError: UNKNOWN_TOPIC_OR_PARTITION });
    const patience = new AbortController();
    const first = watch.first(patience.signal);
    patience.abort();
    expect(await first).toBeUndefined();
  });

  test('of a topic without leaders is a view: its partitions wait, not the topic', async () => {
    const { clock, watch } = setUp({ topicError: LEADER_NOT_AVAILABLE, leaders: [-1, -1] });
    await clock.advance(1_000);
    expect(watch.view!.partitions.map((p) => p.leader)).toEqual([-1, -1]);
  });
});

describe('asking again', () => {
  test('by age', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    expect(state.questions).toBe(1);
    state.leaders = [3, 2, 1];
    await clock.advance(METADATA_MAX_AGE_MS);
    expect(state.questions).toBe(2);
    expect(watch.view!.partitions.map((p) => p.leader)).toEqual([3, 2, 1]);
  });

  test('at once when something looked stale, but not more than five times a second, whoever asks', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    const before = state.questions;
    for (let ms = 0; ms < 10_000; ms += 10) {
      void watch.refresh();
      void watch.refresh();
      await clock.advance(10);
    }
    expect(state.questions - before).toBeGreaterThanOrEqual(45);
    expect(state.questions - before).toBeLessThanOrEqual(51);
  });

  test('while brokers are away: the last view stays, and questions come at growing distances', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    state.failure = new SkaldError('KAFKA_UNREACHABLE', 'nobody there');
    await clock.advance(METADATA_MAX_AGE_MS);
    const before = state.questions;
    await clock.advance(600_000);
    expect(watch.view).toEqual(someView([1, 2, 3]));
    // Ten seconds is the longest wait, half of it with this chance.
    expect(state.questions - before).toBeLessThan(600_000 / 5_000);
    expect(state.questions - before).toBeGreaterThan(600_000 / 10_000);
  });

  test('not after the end', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    watch.close();
    watch.close();
    await watch.refresh();
    await clock.advance(10 * METADATA_MAX_AGE_MS);
    expect(state.questions).toBe(1);
  });
});

describe('the size limit', () => {
  test("is Kafka's default where the agent may not ask, said with what to grant", async () => {
    const { clock, watch, lines } = setUp({ limitError: TOPIC_AUTHORIZATION_FAILED });
    await clock.advance(1_000);
    expect(watch.view).toBeDefined();
    // KafkaConfig: message.max.bytes is 1 MiB and the 12 bytes of log overhead.
    expect(DEFAULT_MAX_MESSAGE_BYTES).toBe(1_048_576 + 12);
    expect(watch.maxMessageBytes).toBe(DEFAULT_MAX_MESSAGE_BYTES);
    expect(lines.filter((line) => line.level === 'warn')[0]!.message).toContain('DescribeConfigs');
  });

  test('that turns out smaller is asked for again, and halves where that does not help', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    state.limit.value = '300000';
    watch.refused(1_000_000);
    expect(watch.maxMessageBytes).toBe(500_000);
    void watch.refresh();
    await clock.advance(1_000);
    expect(watch.maxMessageBytes).toBe(300_000);
    watch.refused(300_000);
    expect(watch.maxMessageBytes).toBe(150_000);
  });

  test('that is raised or lowered is found by asking again, without a refusal', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    for (const value of ['5000000', '70000']) {
      state.limit.value = value;
      await clock.advance(6 * METADATA_MAX_AGE_MS);
      expect(watch.maxMessageBytes).toBe(Number(value));
    }
  });

  test('that a refusal has made smaller grows again when the topic takes more', async () => {
    const { clock, watch, state } = setUp();
    await clock.advance(1_000);
    state.limit.value = '300000';
    watch.refused(1_000_000);
    await clock.advance(METADATA_MAX_AGE_MS);
    expect(watch.maxMessageBytes).toBe(300_000);
    state.limit.value = '4000000';
    await clock.advance(6 * METADATA_MAX_AGE_MS);
    expect(watch.maxMessageBytes).toBe(4_000_000);
  });

  test('never falls so low that a batch has no room for a record beside its header', () => {
    const { watch } = setUp();
    for (let i = 0; i < 40; i += 1) watch.refused(watch.maxMessageBytes);
    expect(watch.maxMessageBytes).toBeGreaterThanOrEqual(1_024);
  });
});
