import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { EncodedPart } from '../../../../agent/batch/encode-batches.ts';
import { encodeBatches } from '../../../../agent/batch/encode-batches.ts';
import { openJournal } from '../../../../agent/checkpoint/journal.ts';
import { formatEntry, parseJournal } from '../../../../agent/checkpoint/journal-lines.ts';
import type { Entry, Intent } from '../../../../agent/checkpoint/entries.ts';
import { createPartitioner } from '../../../../agent/publish/create-partitioner.ts';
import { createPublisher, type PublishedBatch } from '../../../../agent/publish/publisher.ts';
import type { ReplayOutcome } from '../../../../agent/publish/open-batches.ts';
import type { BatchSettings } from '../../../../agent/publish/seal.ts';
import { watchTopic } from '../../../../agent/publish/topic-view.ts';
import type { PartitionerConfig } from '../../../../shared/config/partitioner-config.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { decodeRecords, decompressRecords } from '../../../../shared/wire/decode-records.ts';
import { readBatchHeader, sealBatch } from '../../../../shared/wire/record-batch.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { type MemoryJournal, memoryJournal } from '../memory-journal.ts';
import { recordedLog } from '../recorded-log.ts';
import { type Produced, scriptedCluster } from './scripted-cluster.ts';

const MESSAGE_TOO_LARGE = 10;
const NOT_ENOUGH_REPLICAS = 19;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const TOPIC_AUTHORIZATION_FAILED = 29;
const INVALID_TIMESTAMP = 32;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const UNKNOWN_PRODUCER_ID = 59;
const COORDINATOR_LOAD_IN_PROGRESS = 14;

const SETTINGS: BatchSettings = {
  timestampMs: 1_700_000_000_000,
  codec: 'none',
  level: undefined,
  maxRecordBytes: 1000,
  oversize: 'split',
};

const LONGEST_BACKOFF_MS = 5_000;

const STICKY: PartitionerConfig = {
  type: 'single-partition',
  rack: 'prefer',
  stickyMs: 3_600_000,
  stickyBytes: 1_000,
};

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** The file `f-1` that all lines of these tests come from, by its bytes. */
async function encode(
  text: string,
  fileOffset: number,
  settings: BatchSettings = SETTINGS,
  maxBatchBytes = Infinity,
): Promise<EncodedPart[]> {
  const bytes = Buffer.from(text);
  const terminated = text.endsWith('\n');
  const segment = {
    bytes,
    start: 0,
    end: bytes.length,
    terminated,
    skipRest: false,
    fileId: 'f-1',
    fileOffset,
  };
  const { level, keying, ...rest } = settings;
  const options = { ...rest, host: 'h', pipeline: 'p', ...(level !== undefined && { level }) };
  return encodeBatches({ segments: [segment], options, maxBatchBytes, keying });
}

async function setUp(
  options: {
    leaders?: number[];
    file?: string;
    journal?: MemoryJournal;
    partitioner?: PartitionerConfig;
    nowMs?: number;
    clusterId?: string;
  } = {},
) {
  const clock = simClock(options.nowMs ?? SETTINGS.timestampMs);
  const cluster = scriptedCluster(options.leaders ?? [1, 2, 3]);
  cluster.clusterId = options.clusterId ?? 'c';
  const { logger, lines } = recordedLog();
  const file = options.journal ?? memoryJournal();
  const counts = { entries: () => {}, fsync: () => {}, failing: () => {} };
  const policy = { fsync: 'interval', fsyncIntervalMs: 1000 } as const;
  const opening = { pipeline: 'p', topic: 'logs', policy, clock, counts, logger: silentLogger };
  const journal = await openJournal({ file, ...opening });
  const random = (): number => 0;
  const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
  const topicWatch = watchTopic(cluster, 'logs', { metadataMaxAgeMs: 60_000, clock, random, logger, log });
  const stop = new AbortController();
  const seen = {
    acknowledged: [] as PublishedBatch[],
    spare: [] as Uint8Array[],
    replaced: [] as [why: string, possibleDuplicates: number, lostBytes: number][],
    moved: [] as string[],
    throttledMs: [] as number[],
    replayed: {} as Partial<Record<ReplayOutcome, number>>,
    releasedBytes: 0,
  };
  /** What the log file holds; undefined when it is gone. */
  const disk: { text: string | undefined } = { text: options.file };
  const rebuild = async (intent: Intent, maxBatchBytes: number) => {
    if (disk.text === undefined) return undefined;
    const [range] = intent.ranges;
    const { timestampMs } = intent;
    const maxRecordBytes = maxBatchBytes < 1_000 ? 100 : SETTINGS.maxRecordBytes;
    const settings = { ...SETTINGS, timestampMs, maxRecordBytes };
    return {
      parts: await encode(disk.text.slice(range!.start, range!.end), range!.start, settings, maxBatchBytes),
      settings,
    };
  };
  const publisher = createPublisher({
    topic: 'logs',
    lane: 'produce/app',
    onThrottled: (ms) => seen.throttledMs.push(ms),
    cluster,
    topicWatch,
    partitioner: createPartitioner(options.partitioner ?? STICKY, { rack: 'rack-a', clock, random }),
    journal,
    rack: 'rack-a',
    maxInFlight: 5,
    requestTimeoutMs: 1_000,
    host: 'h',
    pipeline: 'p',
    rebuild,
    reopen: () => Promise.resolve(undefined),
    delimiter: Buffer.from('\n'),
    skipsRests: false,
    decompress: decompressRecords,
    encodeLines: async ({ bytes, fileOffset }) => ({
      parts: await encode(Buffer.from(bytes).toString(), fileOffset),
      settings: SETTINGS,
    }),
    codec: { codec: 'none', level: undefined },
    onAcknowledged: (batch) => seen.acknowledged.push(batch),
    onSpare: (bytes) => seen.spare.push(bytes),
    onReplaced: (...args) => seen.replaced.push(args),
    onReleased: (bytes) => {
      seen.releasedBytes += bytes;
    },
    onReplayed: (outcome, batches) => {
      seen.replayed[outcome] = (seen.replayed[outcome] ?? 0) + batches;
    },
    onMoved: (reason) => seen.moved.push(reason),
    onError: () => {},
    clock,
    random,
    logger,
    log,
    signal: stop.signal,
  });
  onTestFinished(() => {
    stop.abort();
    topicWatch.close();
  });
  await clock.advance(0);

  let offset = 0;
  return {
    clock,
    cluster,
    journal,
    file,
    publisher,
    stop,
    lines,
    disk,
    ...seen,
    seen,
    /** Publishes lines of the file, in order, as one batch. */
    publish: async (text: string): Promise<boolean> => {
      const [part] = await encode(text, offset);
      offset += text.length;
      let result: boolean | undefined;
      void publisher.publish(part!, SETTINGS, part!.batch.length).then((taken) => {
        result = taken;
      });
      for (let i = 0; i < 5 && result === undefined; i += 1) await clock.advance(0);
      if (result === undefined) throw new Error('publish waits');
      return result;
    },
    settle: () => clock.advance(0),
    /** Acknowledges all that comes, and what comes after that; returns it in the order in which it came. */
    acknowledgeAll: async (): Promise<Produced[]> => {
      const all: Produced[] = [];
      while (cluster.produced.length > 0) {
        const [next] = cluster.produced;
        all.push(next!);
        next!.answer(0);
        await clock.advance(0);
      }
      return all;
    },
    /** A line that is acknowledged, so that the broker knows the identity and the window is open. */
    warmUp: async (): Promise<void> => {
      const [part] = await encode('warm\n', 0);
      void publisher.publish(part!, SETTINGS, 0);
      await clock.advance(0);
      cluster.produced[0]!.answer(0);
      await clock.advance(0);
      seen.acknowledged.length = 0;
    },
    /** The entries on disk, of these types. */
    written: (...types: Entry['t'][]): Entry[] =>
      parseJournal(file.content).entries.filter(({ t }) => types.includes(t)),
  };
}

async function textOf(bytes: Buffer): Promise<string[]> {
  const { records } = await decodeRecords(bytes, { maxOutputBytes: 1 << 20 });
  return records.map(({ value }) => Buffer.from(value!).toString());
}

describe('intent, effect, commit', () => {
  test('the intent is in the journal when the batch goes out, the commit when it is acknowledged', async () => {
    const s = await setUp();
    expect(await s.publish('one\ntwo\n')).toBe(true);
    const [request] = s.cluster.produced;
    expect(await textOf(request!.bytes)).toEqual(['one', 'two']);
    expect(s.written('intent')).toMatchObject([
      {
        partition: request!.partition,
        producerId: request!.producerId,
        baseSequence: 0,
        records: 2,
        ranges: [{ file: 'f-1', start: 0, end: 8 }],
      },
    ]);
    request!.answer(0, 55);
    await s.settle();
    await s.journal.flush();
    expect(s.written('commit')).toEqual([{ t: 'commit', n: 1, offset: 55 }]);
    expect(s.journal.state.open.size).toBe(0);
  });

  test('the time for which a broker asks to hold back is told (KIP-219)', async () => {
    const w = await setUp();
    await w.publish('a\n');
    w.cluster.produced[0]!.answer(0, 0, 1_500);
    await w.settle();
    expect(w.throttledMs).toEqual([1_500]);
    expect(w.acknowledged).toHaveLength(1);
  });

  test('sequences count records, one row for each partition (KIP-98)', async () => {
    const s = await setUp();
    await s.publish('a\nb\nc\n');
    await s.publish('d\n');
    await s.publish('e\nf\n');
    const all = await s.acknowledgeAll();
    expect(all.map((p) => p.baseSequence)).toEqual([0, 3, 4]);
    expect(new Set(all.map((p) => p.producerId)).size).toBe(1);
  });

  test('batches of the same lines for several partitions have one journal entry, so that a torn one loses none of them', async () => {
    const s = await setUp();
    const keying = { source: { pattern: '^.' }, partitions: 3, keyless: 0 };
    const settings = { ...SETTINGS, keying };
    const parts = await encode('a1\nb1\nc1\nd1\na2\n', 0, settings);
    expect(parts.length).toBeGreaterThan(1);
    void s.publisher.publishKeyed(parts, settings);
    await s.settle();
    expect(s.written('intent')).toEqual([]);
    expect(s.written('intents')).toMatchObject([
      {
        intents: parts.map(({ slot, records }) => ({
          partition: slot,
          records,
          keying: { ...keying, slot },
        })),
      },
    ]);
    const sent = new Map(s.cluster.produced.map(({ partition, bytes }) => [partition, bytes]));
    expect([...sent.keys()]).toEqual(parts.map(({ slot }) => slot));
    const texts = await Promise.all([...sent.values()].map(textOf));
    expect(texts.flat().sort()).toEqual(['a1', 'a2', 'b1', 'c1', 'd1']);
    await s.acknowledgeAll();
    expect(s.journal.state.open.size).toBe(0);
  });

  test('a coordinator that is still loading gives a producer id a moment later', async () => {
    const s = await setUp();
    s.cluster.producerIdErrors = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_LOAD_IN_PROGRESS];
    await expect(s.publish('a\n')).rejects.toThrow('publish waits');
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.cluster.produced).toHaveLength(1);
    expect(s.cluster.producerIds).toHaveLength(1);
  });

  test('a batch without records, all dropped, moves the file on by a skip and sends nothing', async () => {
    const s = await setUp();
    const range = { file: 'f-1', start: 0, end: 500, terminated: true, skipRest: false, crc32c: 0 };
    const none = { records: 1, bytes: 500 };
    const part = { batch: new Uint8Array(0), records: 0, rawBytes: 500, oversized: none, ranges: [range] };
    expect(await s.publisher.publish(part, SETTINGS, 0)).toBe(true);
    expect(s.written('skip')).toEqual([{ t: 'skip', id: 'f-1', to: 500, skipping: false }]);
    expect(s.cluster.produced).toEqual([]);
  });

  test('a publisher that stops takes nothing, also no batch without records: the one before may be missing', async () => {
    const s = await setUp();
    s.stop.abort();
    expect(await s.publish('a\n')).toBe(false);
    const part = {
      batch: new Uint8Array(0),
      records: 0,
      rawBytes: 5,
      oversized: { records: 1, bytes: 5 },
      ranges: [],
    };
    expect(await s.publisher.publish(part, SETTINGS, 0)).toBe(false);
    expect(s.written('intent', 'skip')).toEqual([]);
  });
});

describe('the memory of a batch', () => {
  test('is spare when the batch was sent once and is acknowledged', async () => {
    const s = await setUp({ leaders: [1] });
    await s.publish('a\n');
    expect(s.seen.spare).toEqual([]);
    const [produced] = s.cluster.produced;
    produced!.answer(0);
    await s.settle();
    expect(s.seen.spare.map((bytes) => Buffer.compare(bytes, produced!.bytes))).toEqual([0]);
  });

  test.each(['refused', 'lost'])(
    'is never spare when the first try was %s: it may still be sent from there',
    async (what) => {
      const s = await setUp({ leaders: [1] });
      await s.publish('a\n');
      if (what === 'lost') s.cluster.produced[0]!.lose();
      else s.cluster.produced[0]!.answer(NOT_ENOUGH_REPLICAS);
      await s.clock.advance(LONGEST_BACKOFF_MS);
      expect(await s.acknowledgeAll()).toHaveLength(1);
      expect(s.acknowledged).toHaveLength(1);
      expect(s.seen.spare).toEqual([]);
    },
  );
});

describe('waiting for room', () => {
  test('looking for room again and again does not use up the bytes of the partition', async () => {
    // Two partitions led in the rack, 1,000 bytes on each in turn.
    const s = await setUp({ leaders: [1, 1] });
    for (let i = 0; i < 5; i += 1) await s.publish(`${'x'.repeat(99)}\n`);
    const sixth = s.publish(`${'x'.repeat(99)}\n`);
    await expect(sixth).rejects.toThrow('publish waits');
    await s.clock.advance(900); // nine looks, and the partition is not slow yet
    s.cluster.produced[0]!.answer(0);
    await s.settle();
    expect(s.moved).toEqual(['first']);
    expect(s.journal.state.open.size).toBe(5);
  });

  test('a window that stays full for more than a second: the next batch goes elsewhere', async () => {
    const s = await setUp({ leaders: [1, 1] });
    for (let i = 0; i < 5; i += 1) await s.publish('x\n');
    await expect(s.publish('y\n')).rejects.toThrow('publish waits');
    await s.clock.advance(1_500);
    expect(s.moved).toEqual(['first', 'unhealthy']);
    expect(new Set(s.cluster.produced.map((p) => p.partition)).size).toBe(2);
  });
});

describe('round-robin', () => {
  const ROUND_ROBIN: PartitionerConfig = { type: 'round-robin', rack: 'prefer' };

  test('each batch goes to the next partition, and each partition counts its own sequence', async () => {
    const s = await setUp({ leaders: [1, 1, 1], partitioner: ROUND_ROBIN });
    const seen: [partition: number, baseSequence: number][] = [];
    for (let i = 0; i < 7; i += 1) {
      await s.publish('a\nb\n');
      for (const batch of await s.acknowledgeAll()) seen.push([batch.partition, batch.baseSequence]);
    }
    expect(seen).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [0, 2],
      [1, 2],
      [2, 2],
      [0, 4],
    ]);
  });

  test('a partition whose window is full holds up one batch for a second; then the others go on without it', async () => {
    const s = await setUp({ leaders: [1, 1], partitioner: ROUND_ROBIN });
    /** Partitions that got a batch; what partition 1 gets is acknowledged at once, what 0 gets is not. */
    const sent = async (): Promise<number> => {
      const last = s.cluster.produced.at(-1)!;
      if (last.partition === 1) last.answer(0);
      await s.settle();
      return last.partition;
    };
    for (let i = 0; i < 2; i += 1) {
      await s.publish('warm\n');
      await s.acknowledgeAll();
    }
    const turns: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      await s.publish('a\n');
      turns.push(await sent());
    }
    expect(turns).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);

    await expect(s.publish('held up\n')).rejects.toThrow('publish waits');
    await s.clock.advance(900);
    expect(s.cluster.produced.map((batch) => batch.partition)).toEqual([0, 0, 0, 0, 0]);
    await s.clock.advance(200);
    expect(await sent()).toBe(1);
    for (let i = 0; i < 3; i += 1) {
      await s.publish('a\n');
      expect(await sent()).toBe(1);
    }

    s.cluster.produced[0]!.answer(0);
    await s.settle();
    await s.publish('a\n');
    expect(await sent()).toBe(0);
  });
});

describe('a batch that is too large', () => {
  const TEXT = `${'a'.repeat(400)}\n${'b'.repeat(400)}\n`;

  /** Short enough to stay whole under the lowered limit. */
  const LINES = Array.from({ length: 12 }, (_, i) => `line ${i} ${'x'.repeat(60)}\n`);

  test('its smaller batches take its place in the sequence, and the batches behind it keep theirs', async () => {
    const s = await setUp({ leaders: [1], file: `${LINES.join('')}c\n` });
    await s.warmUp();
    await s.publish(LINES.join(''));
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    s.cluster.maxMessageBytes = 600;
    // The refusal comes in while the next intent is on its way to the disk.
    const [part] = await encode('d\n', LINES.join('').length + 2);
    const publishing = s.publisher.publish(part!, SETTINGS, 1);
    first!.answer(MESSAGE_TOO_LARGE);
    second!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(await publishing).toBe(true);
    await s.publish('e\n');

    const again = await s.acknowledgeAll();
    expect((await Promise.all(again.map((p) => textOf(p.bytes)))).flat()).toEqual([
      ...LINES.map((line) => line.trimEnd()),
      'c',
      'd',
      'e',
    ]);
    expect(again.length).toBeGreaterThan(4);
    for (const { bytes } of again) expect(bytes.length).toBeLessThanOrEqual(600);
    let sequence = 1; // behind the line that warmed it up
    for (const { producerId, baseSequence, records } of again) {
      expect([producerId, baseSequence]).toEqual([1000n, sequence]);
      sequence += records;
    }
    expect(s.replaced).toEqual([['too-large', 0, 0]]);
    expect(s.journal.state.open.size).toBe(0);
  });

  test('when it goes again, and was appended the first time: its lines are found there and do not go again', async () => {
    const s = await setUp({ leaders: [1], file: `${LINES.join('')}c\n` });
    await s.warmUp();
    await s.publish(LINES.join(''));
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    s.cluster.stores(first!);
    first!.lose();
    second!.lose();
    await s.clock.advance(LONGEST_BACKOFF_MS);
    s.cluster.maxMessageBytes = 600;
    const [large, behind] = s.cluster.produced;
    behind!.answer(0);
    large!.answer(MESSAGE_TOO_LARGE);
    await s.clock.advance(LONGEST_BACKOFF_MS);

    const [smaller] = s.cluster.produced;
    expect([smaller!.producerId, smaller!.baseSequence]).toEqual([1000n, 1]);
    smaller!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.cluster.produced).toEqual([]);
    expect(s.journal.state.open.size).toBe(0);
    expect(s.replaced.map(([, possibleDuplicates, lostBytes]) => possibleDuplicates + lostBytes)).toEqual([
      0, 0,
    ]);
  });

  test('and its lines are too long, too: cut, under a new identity, and the batches behind it after it', async () => {
    const s = await setUp({ leaders: [1], file: `${TEXT}c\n` });
    await s.warmUp();
    await s.publish(TEXT);
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    s.cluster.maxMessageBytes = 600;
    first!.answer(MESSAGE_TOO_LARGE);
    second!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);

    const again = await s.acknowledgeAll();
    expect((await Promise.all(again.map((p) => textOf(p.bytes)))).flat().join('')).toBe(
      `${'a'.repeat(400)}${'b'.repeat(400)}c`,
    );
    for (const { bytes } of again) expect(bytes.length).toBeLessThanOrEqual(600);
    expect(new Set(again.map((p) => p.producerId))).toEqual(new Set([1001n]));
    let sequence = 0;
    for (const { baseSequence, records } of again) {
      expect(baseSequence).toBe(sequence);
      sequence += records;
    }
    expect(s.replaced).toEqual([['too-large', 0, 0]]);
  });

  test('the old intents are closed and the new ones written in one entry, before anything goes out', async () => {
    const s = await setUp({ file: TEXT });
    await s.publish(TEXT);
    s.cluster.maxMessageBytes = 600;
    s.cluster.produced[0]!.answer(MESSAGE_TOO_LARGE);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    const entries = s.written('replace').filter((entry) => entry.t === 'replace');
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({ dropped: [1], why: 'too-large' });
    // The new ranges tile the old one.
    const ranges = entries[0]!.by.flatMap((intent) => intent.ranges);
    let at = 0;
    for (const { start, end } of ranges) {
      expect(start).toBe(at);
      at = end;
    }
    expect(at).toBe(TEXT.length);
  });

  test('what it held of the memory budget is given back to the byte', async () => {
    const s = await setUp({ file: TEXT });
    await s.publish(TEXT);
    const takenBytes = s.cluster.produced[0]!.bytes.length;
    s.cluster.maxMessageBytes = 600;
    s.cluster.produced[0]!.answer(MESSAGE_TOO_LARGE);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    while (s.cluster.produced.length > 0) {
      s.cluster.produced[0]!.answer(0);
      await s.settle();
    }
    const given = s.acknowledged.reduce((sum, batch) => sum + batch.heldBytes, 0);
    expect(given + s.seen.releasedBytes).toBe(takenBytes);
    expect(s.journal.state.open.size).toBe(0);
  });

  test('and its bytes are gone from the file: counted as lost, the memory given back, the next goes on', async () => {
    const s = await setUp({ leaders: [1] });
    await s.warmUp();
    await s.publish(TEXT);
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    const takenBytes = first!.bytes.length + second!.bytes.length;
    first!.answer(MESSAGE_TOO_LARGE);
    second!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(s.replaced).toContainEqual(['source-gone', 0, TEXT.length]);
    expect(s.cluster.produced.map((p) => [p.producerId, p.baseSequence])).toEqual([[1001n, 0]]);
    s.cluster.produced[0]!.answer(0);
    await s.settle();
    const given = s.acknowledged.reduce((sum, batch) => sum + batch.heldBytes, 0);
    expect(given + s.seen.releasedBytes).toBe(takenBytes);
    expect(s.lines.filter((line) => line.level === 'error')).toHaveLength(1);
  });
});

describe('a batch whose time the topic does not take', () => {
  test('goes with the time of now, in its place in the sequence, and the batches behind it as they were', async () => {
    const s = await setUp({ leaders: [1], file: 'a\nb\nc\n' });
    await s.warmUp();
    await s.publish('a\nb\n');
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    await s.clock.advance(7_000);
    first!.answer(INVALID_TIMESTAMP);
    second!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.settle();
    const again = await s.acknowledgeAll();
    expect(again.map((p) => [p.producerId, p.baseSequence, p.records])).toEqual([
      [1000n, 1, 2],
      [1000n, 3, 1],
    ]);
    const times = again.map(({ bytes }) => readBatchHeader(bytes, { start: 0, end: bytes.length }));
    expect(times.map((header) => header.baseTimestampMs)).toEqual([s.clock.nowMs(), SETTINGS.timestampMs]);
    expect(s.replaced).toEqual([['built-anew', 0, 0]]);
    expect(s.journal.state.open.size).toBe(0);
  });
});

describe('a topic that was made again with fewer partitions', () => {
  test('what had no acknowledgement in a partition that is gone goes to one that is there, in order', async () => {
    const s = await setUp({ leaders: [2, 1], file: 'a\nb\nc\n' });
    await s.publish('a\nb\n');
    await s.publish('c\n');
    expect(s.cluster.produced[0]!.partition).toBe(1); // the one that is led in the agent's rack
    s.cluster.leaders = [2];
    const seen: [partition: number, producerId: bigint, baseSequence: number, lines: string[]][] = [];
    for (let ms = 0; ms < 20_000; ms += 100) {
      for (const request of s.cluster.produced.slice()) {
        if (request.partition === 1) request.answer(UNKNOWN_TOPIC_OR_PARTITION);
        else {
          const { partition, producerId, baseSequence } = request;
          seen.push([partition, producerId, baseSequence, await textOf(request.bytes)]);
          request.answer(0);
        }
      }
      await s.clock.advance(100);
    }
    expect(seen).toEqual([
      [0, 1001n, 0, ['a', 'b']],
      [0, 1001n, 2, ['c']],
    ]);
    expect(s.replaced).toEqual([['partition-gone', 0, 0]]);
    expect(s.journal.state.open.size).toBe(0);
    expect(s.lines.filter((line) => line.message.includes('no such partition'))).toHaveLength(1);
  });
});

describe('an identity that is lost', () => {
  async function lostIdentity(s: Awaited<ReturnType<typeof setUp>>, has: (batch: Produced) => boolean) {
    await s.warmUp();
    await s.publish('a\nb\n');
    await s.publish('c\n');
    const [first, second] = s.cluster.produced;
    for (const batch of [first!, second!]) if (has(batch)) s.cluster.stores(batch);
    first!.answer(UNKNOWN_PRODUCER_ID);
    second!.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    return (await s.acknowledgeAll()).map((p) => [p.producerId, p.baseSequence, p.records]);
  }

  test('what the partition does not have goes again under a new one', async () => {
    const s = await setUp({ leaders: [1] });
    expect(await lostIdentity(s, () => false)).toEqual([
      [1001n, 0, 2],
      [1001n, 2, 1],
    ]);
    expect(s.replaced).toEqual([['identity-lost', 0, 0]]);
  });

  test('what the partition has does not go again, and is acknowledged with its offset', async () => {
    const s = await setUp({ leaders: [1] });
    expect(await lostIdentity(s, ({ records }) => records === 2)).toEqual([[1001n, 0, 1]]);
    expect(s.replaced).toEqual([['identity-lost', 0, 0]]);
    await s.journal.flush();
    expect(s.written('commit')).toContainEqual({ t: 'commit', n: 2, offset: 0 });
    expect(s.journal.state.open.size).toBe(0);
  });

  test.each([
    ['may not be read', { fetchError: TOPIC_AUTHORIZATION_FAILED }, 'TOPIC_AUTHORIZATION_FAILED'],
    ['does not hold the time any more', { logStart: 5 }, 'deleted'],
  ])(
    'a partition that %s: all go again, counted as possible duplicates, with the reason',
    async (_, broker, why) => {
      const s = await setUp({ leaders: [1] });
      Object.assign(s.cluster, broker);
      expect(await lostIdentity(s, () => true)).toEqual([
        [1001n, 0, 2],
        [1001n, 2, 1],
      ]);
      expect(s.replaced).toEqual([['identity-lost', 3, 0]]);
      expect(s.lines.filter((line) => line.message.includes(why))).toHaveLength(1);
    },
  );

  test('the other partitions go on with the new identity from sequence 0, after what they have in flight', async () => {
    const s = await setUp({ leaders: [1, 1] });
    await s.publish(`${'x'.repeat(1100)}\n`); // fills the bytes of its partition
    await s.publish('b\n');
    const [inOne, inOther] = s.cluster.produced;
    expect(inOther!.partition).not.toBe(inOne!.partition);
    inOne!.answer(UNKNOWN_PRODUCER_ID);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    await s.publish('c\n');
    const others = s.cluster.produced.filter((p) => p.partition === inOther!.partition);
    expect(others).toEqual([inOther]); // two identities in flight could be appended in either order
    inOther!.answer(0);
    await s.settle();
    const next = s.cluster.produced.find((p) => p.partition === inOther!.partition)!;
    expect([next.producerId, next.baseSequence]).toEqual([1001n, 0]);
  });

  test('lines that are published while the new identity is fetched are not forgotten', async () => {
    const s = await setUp({ leaders: [1] });
    await s.publish('a\n');
    s.cluster.producerIdErrors = [COORDINATOR_LOAD_IN_PROGRESS];
    // The refusal comes in while the next intent is on its way to the disk.
    const [part] = await encode('b\n', 2);
    const publishing = s.publisher.publish(part!, SETTINGS, 1);
    s.cluster.produced[0]!.answer(UNKNOWN_PRODUCER_ID);
    await s.clock.advance(LONGEST_BACKOFF_MS);
    expect(await publishing).toBe(true);
    const seen: string[] = [];
    for (let i = 0; i < 10 && seen.length < 2; i += 1) {
      for (const request of s.cluster.produced.slice()) {
        seen.push(...(await textOf(request.bytes)));
        request.answer(0);
      }
      await s.clock.advance(LONGEST_BACKOFF_MS);
    }
    expect(seen).toEqual(['a', 'b']);
    expect(s.journal.state.open.size).toBe(0);
  });
});

describe('after a restart', () => {
  const FILE = 'one\ntwo\nthree\n';

  /** A journal of a process that died with the three lines on their way, one batch each. */
  async function killedJournal(): Promise<MemoryJournal> {
    const s = await setUp();
    await s.publish('one\n');
    await s.publish('two\n');
    await s.publish('three\n');
    return s.file;
  }

  /** The first batches of the process that died, as the broker got them. */
  async function sentBefore(text: string, count: number): Promise<Produced[]> {
    const s = await setUp({ leaders: [1], file: text });
    await s.warmUp();
    const sent: Produced[] = [];
    let at = 0;
    for (const line of text.match(/.*\n/g)!.slice(0, count)) {
      const [part] = await encode(line, at);
      at += line.length;
      const bytes = Buffer.from(part!.batch);
      sealBatch(bytes, { producerId: 1000n, producerEpoch: 0, baseSequence: sent.length });
      sent.push({ ...s.cluster.produced[0]!, partition: 0, bytes });
    }
    return sent;
  }

  async function strangersBatch(): Promise<Buffer> {
    const [part] = await encode('of somebody else\n', 0);
    return Buffer.from(part!.batch);
  }

  test('the open batches go again first, under the identity that they had', async () => {
    const s = await setUp({ file: FILE, journal: await killedJournal() });
    await s.publisher.resume();
    await s.settle();
    const all = await s.acknowledgeAll();
    expect(all.map((p) => [p.producerId, p.baseSequence, p.records])).toEqual([
      [1000n, 0, 1],
      [1000n, 1, 1],
      [1000n, 2, 1],
    ]);
    expect((await Promise.all(all.map((p) => textOf(p.bytes)))).flat()).toEqual(['one', 'two', 'three']);
  });

  test('more than five batches of a partition are open: no more than five go at once, and all in order', async () => {
    const many = Array.from({ length: 8 }, (_, i) => `line ${i}\n`);
    const journal = memoryJournal();
    const before = await setUp({ leaders: [1], journal });
    for (const line of many.slice(0, 5)) await before.publish(line);
    // The journal of a version that did not count the window from its oldest batch.
    const { entries } = parseJournal(journal.content);
    const last = entries.findLast((entry) => entry.t === 'intent')!;
    let at = last.ranges[0]!.end;
    for (let i = 5; i < 8; i += 1) {
      const [part] = await encode(many[i]!, at);
      const { ranges } = part!;
      const intent = { ...last, n: i + 1, baseSequence: i, ranges };
      journal.content = Buffer.concat([journal.content, Buffer.from(formatEntry(intent))]);
      at = ranges[0]!.end;
    }
    const s = await setUp({ leaders: [1], file: many.join(''), journal });
    await s.publisher.resume();
    await s.settle();
    const seen: string[] = [];
    while (s.cluster.produced.length > 0) {
      expect(s.cluster.produced.length).toBeLessThanOrEqual(5);
      seen.push(...(await textOf(s.cluster.produced[0]!.bytes)));
      s.cluster.produced[0]!.answer(0);
      await s.settle();
    }
    expect(seen.map((line) => `${line}\n`)).toEqual(many);
  });

  describe('the pipeline has another target', () => {
    test('its cluster: what was open goes there under another identity, and is counted', async () => {
      const s = await setUp({ file: FILE, journal: await killedJournal(), clusterId: 'other' });
      s.cluster.producerIds.push(1000n); // another cluster gives the same ids
      await s.publisher.resume();
      await s.settle();
      const all = await s.acknowledgeAll();
      expect(all.map((p) => [p.producerId, p.baseSequence])).toEqual([
        [1001n, 0],
        [1001n, 1],
        [1001n, 2],
      ]);
      expect((await Promise.all(all.map((p) => textOf(p.bytes)))).flat()).toEqual(['one', 'two', 'three']);
      expect(s.replaced).toEqual([['other-target', 3, 0]]);
      expect(s.lines.filter(({ message }) => message.includes('another target'))).toHaveLength(1);
    });

    test('and dies before they are acknowledged: the next start sends them again as they were sent last', async () => {
      const journal = await killedJournal();
      const first = await setUp({ file: FILE, journal, clusterId: 'other' });
      first.cluster.producerIds.push(1000n);
      await first.publisher.resume();
      first.stop.abort();
      const s = await setUp({ file: FILE, journal, clusterId: 'other' });
      await s.publisher.resume();
      await s.settle();
      expect((await s.acknowledgeAll()).map((p) => [p.producerId, p.baseSequence])).toEqual([
        [1001n, 0],
        [1001n, 1],
        [1001n, 2],
      ]);
      expect(s.replaced).toEqual([]);
    });

    test('its topic, which has fewer partitions: they go to those that it has', async () => {
      const journal = memoryJournal();
      const before = await setUp({ journal, leaders: [2, 1] });
      for (const line of ['one\n', 'two\n', 'three\n']) await before.publish(line);
      const moved = parseJournal(journal.content).entries.map((entry) =>
        entry.t === 'target' ? { ...entry, topic: 'former' } : entry,
      );
      journal.content = Buffer.from(moved.map(formatEntry).join(''));
      const s = await setUp({ file: FILE, journal, leaders: [2] });
      await s.publisher.resume();
      await s.settle();
      const all = await s.acknowledgeAll();
      expect(all.map((p) => [p.partition, p.baseSequence])).toEqual([
        [0, 0],
        [0, 1],
        [0, 2],
      ]);
    });

    test.each([
      ['the same topic', 'logs', 1000n, []],
      ['another topic', 'former', 1001n, [['other-target', 3, 0]]],
    ])('in a journal of a version that knew only topics, %s', async (_, topic, producerId, replaced) => {
      const journal = await killedJournal();
      const old = parseJournal(journal.content).entries.flatMap((entry): Entry[] =>
        entry.t === 'target' || entry.t === 'reached'
          ? []
          : entry.t === 'journal'
            ? [{ ...entry, topic }]
            : [entry],
      );
      journal.content = Buffer.from(old.map(formatEntry).join(''));
      const s = await setUp({ file: FILE, journal });
      s.cluster.producerIds.push(1000n);
      await s.publisher.resume();
      await s.settle();
      const all = await s.acknowledgeAll();
      expect(all.map((p) => p.producerId)).toEqual([producerId, producerId, producerId]);
      expect(s.replaced).toEqual(replaced);
    });
  });

  test('new lines get an identity of their own: an old sequence number could belong to other lines already', async () => {
    // The journal's last entries never reached the disk when the machine lost power, but the broker has their batches.
    const s = await setUp({ file: FILE, journal: await killedJournal() });
    s.cluster.producerIds.push(1000n);
    await s.publisher.resume();
    await s.settle();
    await s.acknowledgeAll();
    await s.publish('four\n');
    expect(s.cluster.produced.map((p) => [p.producerId, p.baseSequence])).toEqual([[1001n, 0]]);
  });

  test('new lines wait until the open batches of their partition are through', async () => {
    const s = await setUp({ leaders: [1], file: FILE, journal: await killedJournal() });
    s.cluster.producerIds.push(1000n);
    await s.publisher.resume();
    await s.publish('four\n');
    const all = await s.acknowledgeAll();
    expect((await Promise.all(all.map((p) => textOf(p.bytes)))).flat()).toEqual([
      'one',
      'two',
      'three',
      'four',
    ]);
    expect(all.map((p) => p.producerId)).toEqual([1000n, 1000n, 1000n, 1001n]);
  });

  const TWO_DAYS_MS = 2 * 86_400_000;

  test('two days later the broker has forgotten the producer: the partition is read first', async () => {
    const journal = await killedJournal();
    const s = await setUp({ file: FILE, journal, nowMs: SETTINGS.timestampMs + TWO_DAYS_MS, leaders: [1] });
    const [one, two] = parseJournal(journal.content).entries.filter(({ t }) => t === 'intent');
    expect([one, two]).toMatchObject([{ partition: 0 }, { partition: 0 }]);
    for (const batch of await sentBefore(FILE, 2)) s.cluster.stores(batch);
    await s.publisher.resume();
    await s.settle();
    const all = await s.acknowledgeAll();
    expect((await Promise.all(all.map((p) => textOf(p.bytes)))).flat()).toEqual(['three']);
    expect(s.seen.replayed).toEqual({ found: 2, resent: 1 });
    expect(s.replaced).toEqual([]);
    expect(s.journal.state.open.size).toBe(0);
  });

  test('two days later and nothing of it can be read back: all go again, counted as possible duplicates', async () => {
    const journal = await killedJournal();
    const s = await setUp({ file: FILE, journal, nowMs: SETTINGS.timestampMs + TWO_DAYS_MS, leaders: [1] });
    s.cluster.fetchError = TOPIC_AUTHORIZATION_FAILED;
    s.cluster.logs.set(0, [await strangersBatch()]);
    await s.publisher.resume();
    await s.settle();
    expect(await s.acknowledgeAll()).toHaveLength(3);
    expect(s.replaced).toEqual([['identity-stale', 3, 0]]);
  });

  test('at once after a crash nothing is read back: the broker remembers', async () => {
    const s = await setUp({ file: FILE, journal: await killedJournal() });
    await s.publisher.resume();
    await s.settle();
    await s.acknowledgeAll();
    expect(s.cluster.fetched).toEqual([]);
  });

  test('the bytes are gone from the file and the partition has them: nothing is lost', async () => {
    const s = await setUp({ journal: await killedJournal(), leaders: [1] });
    for (const batch of await sentBefore(FILE, 3)) s.cluster.stores(batch);
    await s.publisher.resume();
    expect(s.seen.replayed).toEqual({ found: 3, resent: 0 });
    expect(s.replaced).toEqual([]);
    expect(s.lines.filter((line) => line.level === 'error')).toEqual([]);
  });

  test('the bytes are not the same any more: said at ERROR, counted, and the rest goes on', async () => {
    const journal = await killedJournal();
    const s = await setUp({ journal });
    await s.publisher.resume();
    expect(s.lines.filter((line) => line.level === 'error')).toHaveLength(3);
    expect(s.replaced).toEqual([
      ['source-gone', 0, 4],
      ['source-gone', 0, 4],
      ['source-gone', 0, 6],
    ]);
    expect(s.journal.state.open.size).toBe(0);
    expect(s.written('replace')).toHaveLength(3);
  });

  test('the broker has forgotten the identity while the later batches are still being rebuilt: each goes out', async () => {
    const s = await setUp({ leaders: [1], file: FILE, journal: await killedJournal() });
    const resuming = s.publisher.resume();
    const seen: string[] = [];
    let refused = false;
    for (let i = 0; i < 40; i += 1) {
      for (const request of s.cluster.produced.slice()) {
        if (!refused) {
          refused = true;
          request.answer(UNKNOWN_PRODUCER_ID);
          continue;
        }
        if (request.producerId === 1000n && request.baseSequence > 0 && seen.length === 0) {
          request.answer(OUT_OF_ORDER_SEQUENCE_NUMBER);
          continue;
        }
        seen.push(...(await textOf(request.bytes)));
        request.answer(0);
      }
      await s.clock.advance(500);
    }
    await resuming;
    expect(seen).toEqual(['one', 'two', 'three']);
    expect(s.journal.state.open.size).toBe(0);
  });
});

describe('draining', () => {
  test('ends when everything is acknowledged', async () => {
    const s = await setUp();
    await s.publish('a\n');
    await s.publish('b\n');
    let drained = false;
    const waiting = s.publisher.drained(new AbortController().signal).then(() => {
      drained = true;
    });
    s.cluster.produced[0]!.answer(0);
    await s.settle();
    expect(drained).toBe(false);
    s.cluster.produced[0]!.answer(0);
    await waiting;
    expect(s.journal.state.open.size).toBe(0);
  });

  test('ends when patience does, with the rest open in the journal', async () => {
    const s = await setUp();
    await s.publish('a\n');
    const patience = new AbortController();
    const waiting = s.publisher.drained(patience.signal);
    patience.abort();
    await waiting;
    expect(s.journal.state.open.size).toBe(1);
  });
});

test('hours without a usable partition leave nothing behind in memory', async () => {
  const s = await setUp({ leaders: [-1] });
  const [part] = await encode('a\n', 0);
  void s.publisher.publish(part!, SETTINGS, 1);
  const heapAfter = async (looks: number): Promise<number> => {
    await s.clock.advance(looks * 200);
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = await heapAfter(500);
  // A look keeps less than a promise and its reaction.
  expect((await heapAfter(10_000)) - before).toBeLessThan(10_000 * 50);
});
