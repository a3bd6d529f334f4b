import { describe, expect, test } from 'vitest';
import {
  type IdentityLoss,
  partitionSender,
  type SealedBatch,
} from '../../../../agent/publish/partition-sender.ts';
import { SkaldError } from '../../../../shared/errors.ts';
import type { ProducedPartition } from '../../../../shared/kafka/requests/produce.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { recordedLog } from '../recorded-log.ts';
import { someIntent } from './some-intent.ts';

// The protocol's error codes: https://kafka.apache.org/protocol#protocol_error_codes
const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NOT_LEADER_OR_FOLLOWER = 6;
const MESSAGE_TOO_LARGE = 10;
const RECORD_LIST_TOO_LARGE = 18;
const NOT_ENOUGH_REPLICAS = 19;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
const TOPIC_AUTHORIZATION_FAILED = 29;
const INVALID_TIMESTAMP = 32;
const POLICY_VIOLATION = 44;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const DUPLICATE_SEQUENCE_NUMBER = 46;
const INVALID_PRODUCER_EPOCH = 47;
const UNKNOWN_PRODUCER_ID = 59;
const UNSUPPORTED_COMPRESSION_TYPE = 76;
const INVALID_RECORD = 87;
const INVALID_REQUIRED_ACKS = 21;

/** Longer than any wait between two attempts. */
const LONGEST_BACKOFF_MS = 5_000;
const LONGEST_SLOW_BACKOFF_MS = 30_000;

/** A batch that is told from others by its number, which is also its only byte. */
function batch(n: number, producerId = 7000n): SealedBatch {
  return { intent: someIntent({ n, producerId }), bytes: Uint8Array.of(n), rawBytes: 1, heldBytes: 1 };
}

/** A sender whose broker has acknowledged a batch of producer 7000 already. */
async function setUp(options: { maxInFlight?: number } = {}): Promise<ReturnType<typeof newSender>> {
  const s = newSender(options);
  s.submit(0);
  await s.answer(0);
  s.sent.length = 0;
  s.acknowledged.length = 0;
  return s;
}

/** A broker whose answers the test gives one by one, in any order. */
function newSender(options: { maxInFlight?: number } = {}) {
  const clock = simClock(0);
  const { logger, lines } = recordedLog();
  const stop = new AbortController();
  const asked: { n: number; answer(code: number, baseOffset?: number): void; lose(error?: Error): void }[] =
    [];
  const sent: number[] = [];
  const acknowledged: [n: number, offset: number][] = [];
  const losses: { loss: IdentityLoss; batches: number[] }[] = [];
  const errors: string[] = [];
  const state = { refreshes: 0, isGone: false, isStale: false };
  const sender = partitionSender({
    partition: 0,
    maxInFlight: options.maxInFlight ?? 5,
    produce: (bytes) =>
      new Promise<ProducedPartition>((resolve, reject) => {
        const n = bytes[0]!;
        sent.push(n);
        asked.push({
          n,
          answer: (errorCode, baseOffset = errorCode === 0 ? n * 100 : -1) => {
            asked.splice(
              asked.findIndex((a) => a.n === n),
              1,
            );
            resolve({
              topic: 't',
              partition: 0,
              errorCode,
              baseOffset,
              logAppendTimeMs: -1,
              logStartOffset: 0,
            });
          },
          lose: (error = new SkaldError('KAFKA_TIMEOUT', 'no answer')) => {
            asked.splice(
              asked.findIndex((a) => a.n === n),
              1,
            );
            reject(error);
          },
        });
      }),
    onAcknowledged: ({ intent }, baseOffset) => acknowledged.push([intent.n, baseOffset]),
    onIdentityLoss: (loss, batches) => losses.push({ loss, batches: batches.map((b) => b.intent.n) }),
    onError: (code) => errors.push(code),
    refresh: () => {
      state.refreshes += 1;
      return Promise.resolve();
    },
    isGone: () => state.isGone,
    isStale: () => Promise.resolve(state.isStale),
    clock,
    random: () => 0.5,
    log: repeatedLog({ logger, clock, intervalMs: 60_000 }),
    signal: stop.signal,
  });
  return {
    clock,
    sender,
    stop,
    sent,
    acknowledged,
    losses,
    errors,
    state,
    lines,
    /** What the broker has and has not answered, in the order in which it came. */
    open: () => asked.map((a) => a.n),
    /** Answers the request of batch `n`; 0 is success. */
    answer: async (n: number, code = 0, baseOffset?: number): Promise<void> => {
      asked.find((a) => a.n === n)!.answer(code, baseOffset);
      await clock.advance(0);
    },
    lose: async (n: number, error?: Error): Promise<void> => {
      asked.find((a) => a.n === n)!.lose(error);
      await clock.advance(0);
    },
    submit: (...numbers: number[]): void => {
      for (const n of numbers) sender.submit(batch(n));
    },
  };
}

describe('an identity that the broker may not know', () => {
  // A broker without state of a producer id takes any first sequence (ProducerAppendInfo.checkSequence of Apache Kafka):
  // were the first batch lost on its way, the second would be appended before it.
  test('its first batch goes alone, and the window opens with its acknowledgement', async () => {
    const s = newSender();
    s.submit(1, 2, 3, 4, 5, 6);
    expect(s.open()).toEqual([1]);
    await s.answer(1);
    expect(s.open()).toEqual([2, 3, 4, 5, 6]);
  });

  test('alone also when it fails and goes again', async () => {
    const s = newSender();
    s.submit(1, 2, 3);
    await s.lose(1);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([1]);
  });

  test('a duplicate is an acknowledgement', async () => {
    const s = newSender();
    s.submit(1, 2, 3);
    await s.answer(1, DUPLICATE_SEQUENCE_NUMBER);
    expect(s.open()).toEqual([2, 3]);
  });

  test('after hours without a batch the broker may have forgotten it (producer.id.expiration.ms)', async () => {
    const s = await setUp();
    await s.clock.advance(3 * 3_600_000);
    s.submit(1, 2);
    expect(s.open()).toEqual([1]);
    await s.answer(1);
    expect(s.open()).toEqual([2]);
  });
});

describe('the window', () => {
  test('five batches are sent, a sixth waits inside until one is acknowledged', async () => {
    const s = await setUp();
    s.submit(1, 2, 3, 4, 5);
    expect(s.sender.hasRoom).toBe(false);
    s.submit(6, 7);
    expect(s.open()).toEqual([1, 2, 3, 4, 5]);
    expect(s.sender.inFlight).toBe(5);
    await s.answer(1);
    expect(s.open()).toEqual([2, 3, 4, 5, 6]);
    expect(s.sender.waiting.map((b) => b.intent.n)).toEqual([2, 3, 4, 5, 6, 7]);
  });

  // NOT_ENOUGH_REPLICAS_AFTER_APPEND: the broker has the batch, and says so of the next ones only. It knows a batch again
  // among the last five that it appended (ProducerStateEntry of Apache Kafka), whatever was acknowledged since.
  test('is counted from the oldest batch without an acknowledgement, also when later ones have theirs', async () => {
    const s = await setUp();
    s.submit(1, 2, 3, 4, 5);
    await s.answer(1, NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    for (const n of [2, 3, 4]) await s.answer(n);
    expect(s.sender.hasRoom).toBe(false);
    s.submit(6); // from a recovery, which does not ask
    await s.answer(5, NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([1, 5]);
    await s.answer(1);
    expect(s.open()).toEqual([5, 6]);
    expect(s.sender.hasRoom).toBe(true);
  });

  test('maxInFlight 1: never two at once', async () => {
    const s = await setUp({ maxInFlight: 1 });
    s.submit(1, 2, 3);
    for (const n of [1, 2, 3]) {
      expect(s.open()).toEqual([n]);
      await s.answer(n);
    }
    expect(s.acknowledged.map(([n]) => n)).toEqual([1, 2, 3]);
  });

  test('an acknowledgement carries the offset that the broker gave', async () => {
    const s = await setUp();
    s.submit(1);
    await s.answer(1, 0, 4711);
    expect(s.acknowledged).toEqual([[1, 4711]]);
    expect(s.sender.waiting).toEqual([]);
  });
});

describe('after a failure', () => {
  test('a lost answer: nothing new goes out, and when the others have answered the lost one goes again', async () => {
    const s = await setUp();
    s.submit(1, 2, 3);
    await s.lose(1);
    expect(s.sender.healthy).toBe(false);
    s.submit(4);
    expect(s.open()).toEqual([2, 3]);
    await s.answer(2);
    await s.answer(3);
    expect(s.open()).toEqual([]);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([1, 4]);
    expect(s.state.refreshes).toBe(1);
    expect(s.sender.healthy).toBe(true);
  });

  test('all that has no acknowledgement goes again in its order, whatever the order of the failures', async () => {
    const s = await setUp();
    s.submit(1, 2, 3, 4, 5);
    await s.answer(3, NOT_LEADER_OR_FOLLOWER);
    await s.lose(5);
    await s.answer(1, NOT_ENOUGH_REPLICAS);
    await s.answer(4, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.sent.slice(5)).toEqual([1, 2, 3, 4, 5]);
    // Only the oldest batch can tell why: the others are out of order because it failed.
    expect(s.errors).toEqual(['NOT_ENOUGH_REPLICAS']);
    expect(s.losses).toEqual([]);
  });

  test('retriable codes are tried again for as long as they come, at growing distances up to five seconds', async () => {
    const s = await setUp();
    s.submit(1);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await s.answer(1, NOT_ENOUGH_REPLICAS);
      const before = s.clock.monotonicMs();
      while (s.open().length === 0) await s.clock.advance(1);
      waits.push(s.clock.monotonicMs() - before);
    }
    expect(waits.at(-1)).toBeGreaterThan(1_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(LONGEST_BACKOFF_MS);
    expect(waits[0]).toBeLessThan(waits.at(-1)!);
    await s.answer(1);
    expect(s.acknowledged).toEqual([[1, 100]]);
  });

  test('an acknowledgement ends the row of failures: the next wait is short again', async () => {
    const s = await setUp();
    s.submit(1, 2);
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await s.lose(1);
      await s.lose(2);
      await s.clock.advance(LONGEST_BACKOFF_MS);
    }
    await s.answer(1);
    await s.lose(2);
    await s.clock.advance(100);
    expect(s.open()).toEqual([2]);
  });

  test('what only a person can end is said at ERROR, once, and tried again slowly', async () => {
    const s = await setUp();
    s.submit(1);
    await s.answer(1, TOPIC_AUTHORIZATION_FAILED);
    await s.clock.advance(90);
    expect(s.open()).toEqual([]);
    await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
    expect(s.open()).toEqual([1]);
    await s.answer(1, TOPIC_AUTHORIZATION_FAILED);
    expect(s.lines.filter((line) => line.level === 'error')).toHaveLength(1);
    expect(s.lines[0]!.message).toContain('TOPIC_AUTHORIZATION_FAILED');
    expect(s.losses).toEqual([]);
  });

  test('a refused login is said at ERROR with its code', async () => {
    const s = await setUp();
    s.submit(1);
    await s.lose(1, new SkaldError('KAFKA_AUTHENTICATION', 'wrong password'));
    expect(s.errors).toEqual(['KAFKA_AUTHENTICATION']);
    expect(s.lines.map((line) => line.level)).toEqual(['error']);
  });
});

describe('the identity', () => {
  test('DUPLICATE_SEQUENCE_NUMBER: the broker has the batch, although it does not know the offset any more', async () => {
    const s = await setUp();
    s.submit(1, 2);
    await s.answer(1, DUPLICATE_SEQUENCE_NUMBER);
    expect(s.acknowledged).toEqual([[1, -1]]);
    expect(s.sender.healthy).toBe(true);
    expect(s.open()).toEqual([2]);
  });

  test.each([
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', OUT_OF_ORDER_SEQUENCE_NUMBER, 'identity-lost'],
    ['UNKNOWN_PRODUCER_ID', UNKNOWN_PRODUCER_ID, 'identity-lost'],
    ['INVALID_PRODUCER_EPOCH', INVALID_PRODUCER_EPOCH, 'identity-lost'],
    ['MESSAGE_TOO_LARGE', MESSAGE_TOO_LARGE, 'too-large'],
    ['RECORD_LIST_TOO_LARGE', RECORD_LIST_TOO_LARGE, 'too-large'],
    ['INVALID_TIMESTAMP', INVALID_TIMESTAMP, 'built-anew'],
    ['UNSUPPORTED_COMPRESSION_TYPE', UNSUPPORTED_COMPRESSION_TYPE, 'built-anew'],
  ] as const)('%s at the head: the whole window needs another identity', async (_, code, loss) => {
    const s = await setUp();
    s.submit(1, 2, 3);
    await s.answer(1, code);
    expect(s.losses).toEqual([]); // two are still in flight
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.answer(3, OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(s.losses).toEqual([{ loss, batches: [1, 2, 3] }]);
    await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
    expect(s.open()).toEqual([]); // until the new identity is there
  });

  test('out of order behind a batch without an answer: the window goes again under the same identity', async () => {
    const s = await setUp();
    s.submit(1, 2);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.lose(1);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.losses).toEqual([]);
    expect(s.open()).toEqual([1, 2]);
  });

  // Two connections, the second one faster: what overtook an earlier batch is out of order, and nothing else is wrong.
  test('out of order in front of an earlier batch that is acknowledged after it: goes again under the same identity', async () => {
    const s = await setUp();
    s.submit(1, 2, 3);
    await s.answer(3, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.answer(1);
    expect(s.losses).toEqual([]);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([2, 3]);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER); // now it is the oldest, and the answer can be believed
    await s.answer(3, OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.losses).toEqual([{ loss: 'identity-lost', batches: [2, 3] }]);
  });

  test('a batch that is too large behind others waits until it is the oldest before it is replaced', async () => {
    const s = await setUp();
    s.submit(1, 2, 3);
    await s.answer(2, MESSAGE_TOO_LARGE);
    await s.answer(1);
    await s.answer(3, OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(s.losses).toEqual([{ loss: 'too-large', batches: [2, 3] }]);
  });

  test('after the new identity its batches go out in order', async () => {
    const s = await setUp();
    s.submit(1, 2);
    await s.answer(1, UNKNOWN_PRODUCER_ID);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    s.sender.adopt([batch(11, 7001n), batch(12, 7001n)]);
    expect(s.sender.healthy).toBe(true);
    expect(s.open()).toEqual([11]);
    await s.answer(11);
    await s.answer(12);
    expect(s.acknowledged.map(([n]) => n)).toEqual([11, 12]);
    expect(s.sender.waiting).toEqual([]);
  });

  test('a batch that comes while the window waits for its new identity is kept, behind it', async () => {
    const s = await setUp();
    s.submit(1, 2);
    await s.answer(1, UNKNOWN_PRODUCER_ID);
    await s.answer(2, OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(s.losses).toEqual([{ loss: 'identity-lost', batches: [1, 2] }]);
    s.submit(3); // sealed under the old identity before anybody knew
    s.sender.adopt([batch(11, 7001n), batch(12, 7001n)]);
    expect(s.sender.waiting.map((b) => b.intent.n)).toEqual([11, 12, 3]);
    await s.answer(11);
    await s.answer(12);
    await s.answer(3);
    expect(s.acknowledged.map(([n]) => n)).toEqual([11, 12, 3]);
  });

  test('an identity that is lost again and again is replaced at growing distances, not in a tight loop', async () => {
    const s = await setUp();
    s.submit(1);
    const times: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      await s.answer(s.open()[0]!, UNKNOWN_PRODUCER_ID);
      while (s.losses.length <= round) await s.clock.advance(1);
      times.push(s.clock.monotonicMs());
      s.sender.adopt([batch(1, 8000n + BigInt(round))]);
    }
    const waits = times.slice(1).map((ms, i) => ms - times[i]!);
    expect(waits.at(-1)).toBeGreaterThan(1_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(LONGEST_BACKOFF_MS);
    await s.answer(1);
    s.submit(2);
    await s.answer(2, UNKNOWN_PRODUCER_ID);
    expect(s.losses).toHaveLength(13); // after a success at once again
  });

  test('two identities are never in flight together', async () => {
    const s = await setUp();
    s.submit(1, 2);
    s.sender.submit(batch(3, 7001n));
    s.sender.submit(batch(4, 7001n));
    expect(s.open()).toEqual([1, 2]);
    await s.answer(1);
    expect(s.open()).toEqual([2]);
    await s.answer(2);
    expect(s.open()).toEqual([3]);
    await s.answer(3);
    expect(s.open()).toEqual([4]);
  });

  test('not even when the batch behind a new one has the identity that the broker knows', async () => {
    const s = await setUp();
    s.sender.submit(batch(1, 7001n));
    s.submit(2);
    expect(s.open()).toEqual([1]);
    await s.answer(1);
    expect(s.open()).toEqual([2]);
  });

  test('nor when the last batch of the old identity fails and goes again', async () => {
    const s = await setUp();
    s.submit(1);
    s.sender.submit(batch(2, 7001n));
    await s.lose(1);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([1]);
    await s.answer(1);
    expect(s.open()).toEqual([2]);
  });
});

describe('a batch that can never succeed as it stands', () => {
  test('found damaged once, it was on its way; found damaged again and again, it is built anew', async () => {
    const s = await setUp();
    s.submit(1);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await s.answer(1, CORRUPT_MESSAGE);
      expect(s.losses).toEqual([]);
      await s.clock.advance(LONGEST_BACKOFF_MS);
      expect(s.open()).toEqual([1]);
    }
    await s.answer(1, CORRUPT_MESSAGE);
    await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
    expect(s.losses).toEqual([{ loss: 'built-anew', batches: [1] }]);
  });

  test('built anew it is refused again: slowly from there, and said at ERROR, because a person must act', async () => {
    const s = await setUp();
    s.submit(1);
    const times: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      await s.answer(s.open()[0]!, INVALID_TIMESTAMP);
      while (s.losses.length <= round) await s.clock.advance(10);
      times.push(s.clock.monotonicMs());
      s.sender.adopt([batch(1, 8000n + BigInt(round))]);
    }
    const waits = times.slice(1).map((ms, i) => ms - times[i]!);
    expect(waits.at(-1)).toBeGreaterThan(10_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(LONGEST_SLOW_BACKOFF_MS + 10);
    expect(s.lines.map((line) => line.level)).toContain('error');
  });

  test.each([
    ['INVALID_RECORD', INVALID_RECORD],
    ['INVALID_REQUIRED_ACKS', INVALID_REQUIRED_ACKS],
    ['POLICY_VIOLATION', POLICY_VIOLATION],
  ])(
    '%s is about the topic, whose settings a person can repair: the same batch, slowly, said at ERROR',
    async (name, code) => {
      const s = await setUp();
      s.submit(1);
      await s.answer(1, code);
      await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
      expect(s.open()).toEqual([1]);
      expect(s.losses).toEqual([]);
      expect(s.lines[0]).toMatchObject({ level: 'error', message: expect.stringContaining(name) });
      await s.answer(1);
      expect(s.acknowledged).toEqual([[1, 100]]);
    },
  );
});

describe('a partition that the topic has no more', () => {
  test('is given up only when metadata says so for seconds: brokers learn of a topic one after another', async () => {
    const s = await setUp();
    s.submit(1, 2);
    s.state.isGone = true;
    const sinceMs = s.clock.monotonicMs();
    while (s.losses.length === 0) {
      for (const n of s.open()) await s.answer(n, UNKNOWN_TOPIC_OR_PARTITION);
      await s.clock.advance(10);
      expect(s.clock.monotonicMs() - sinceMs).toBeLessThan(20_000);
    }
    expect(s.clock.monotonicMs() - sinceMs).toBeGreaterThan(5_000);
    expect(s.losses).toEqual([{ loss: 'partition-gone', batches: [1, 2] }]);
  });

  test('and is back meanwhile: its batches go on', async () => {
    const s = await setUp();
    s.submit(1);
    s.state.isGone = true;
    for (let ms = 0; ms < 3_000; ms += 10) {
      for (const n of s.open()) await s.answer(n, UNKNOWN_TOPIC_OR_PARTITION);
      await s.clock.advance(10);
    }
    s.state.isGone = false;
    await s.clock.advance(LONGEST_BACKOFF_MS);
    await s.answer(1);
    expect(s.acknowledged).toEqual([[1, 100]]);
    expect(s.losses).toEqual([]);
  });

  test('another topic may take its name: there the first batch goes alone again', async () => {
    const s = await setUp();
    s.submit(1, 2, 3);
    for (const n of [1, 2, 3]) await s.answer(n, UNKNOWN_TOPIC_OR_PARTITION);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.open()).toEqual([1]);
  });
});

describe('when the publisher stops', () => {
  test('nothing more is sent, what was sent may still be acknowledged', async () => {
    const s = await setUp();
    s.submit(1, 2);
    s.stop.abort();
    s.submit(3);
    await s.answer(1);
    await s.lose(2);
    await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
    expect(s.sent).toEqual([1, 2]);
    expect(s.acknowledged).toEqual([[1, 100]]);
    expect(s.sender.waiting.map((b) => b.intent.n)).toEqual([2, 3]);
  });

  test('a wait between two attempts ends at once', async () => {
    const s = await setUp();
    s.submit(1);
    await s.answer(1, TOPIC_AUTHORIZATION_FAILED);
    s.stop.abort();
    await s.clock.advance(LONGEST_SLOW_BACKOFF_MS);
    expect(s.sent).toEqual([1]);
    expect(s.state.refreshes).toBe(0);
  });
});
