import { describe, expect, onTestFinished, test } from 'vitest';
import { encodeBatches, type JobSegment } from '../../../../agent/batch/encode-batches.ts';
import { openJournal } from '../../../../agent/checkpoint/journal.ts';
import { formatEntry } from '../../../../agent/checkpoint/journal-lines.ts';
import type { Entry } from '../../../../agent/checkpoint/entries.ts';
import { findLostIntents } from '../../../../agent/publish/lost-intents.ts';
import { watchTopic } from '../../../../agent/publish/topic-view.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { decompressRecords } from '../../../../shared/wire/decode-records.ts';
import { sealBatch } from '../../../../shared/wire/record-batch.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { memoryFile } from '../memory-file.ts';
import { memoryJournal } from '../memory-journal.ts';
import { recordedLog } from '../recorded-log.ts';
import { type Produced, scriptedCluster } from './scripted-cluster.ts';

const NOW_MS = 1_700_000_000_000;
const KEY = 'fd-1';

/** A batch of `[start, end)` of the file as the topic has it. */
async function sent(
  text: string,
  range: [start: number, end: number],
  of: { partition?: number; fileId?: string; host?: string; producerId?: bigint } = {},
): Promise<Pick<Produced, 'partition' | 'bytes'>> {
  const { partition = 0, fileId = `${KEY}-1`, host = 'h', producerId = 1000n } = of;
  const bytes = Buffer.from(text.slice(...range));
  const segment: JobSegment = {
    bytes,
    start: 0,
    end: bytes.length,
    terminated: text[range[1] - 1] === '\n',
    skipRest: false,
    fileId,
    fileOffset: range[0],
  };
  const options = { codec: 'none', timestampMs: NOW_MS, maxRecordBytes: 1_000, oversize: 'split' } as const;
  const job = { segments: [segment], maxBatchBytes: Infinity, options: { ...options, host, pipeline: 'p' } };
  const [part] = await encodeBatches(job);
  sealBatch(part!.batch, { producerId, producerEpoch: 0, baseSequence: range[0] });
  return { partition, bytes: Buffer.from(part!.batch) };
}

/** A journal that ends before what `batches` hold, over a file of `text`. */
async function setUp(
  text: string,
  batches: Pick<Produced, 'partition' | 'bytes'>[],
  of: { fileId?: string; skipsRests?: boolean; failsMs?: number } = {},
) {
  const { fileId = `${KEY}-1`, failsMs = 0 } = of;
  const clock = simClock(NOW_MS + 60_000);
  const cluster = scriptedCluster([1, 2]);
  for (const batch of batches) cluster.stores(batch);
  const { logger, lines } = recordedLog();
  const log = repeatedLog({ logger, clock, intervalMs: 60_000 });
  const topicWatch = watchTopic(cluster, 'logs', {
    metadataMaxAgeMs: 60_000,
    clock,
    random: () => 0,
    logger,
    log,
  });
  onTestFinished(() => topicWatch.close());
  const entries: Entry[] = [
    { t: 'journal', version: 1, pipeline: 'p', topic: 'logs' },
    { t: 'counters', file: 2, intent: 1 },
    {
      t: 'file',
      id: fileId,
      key: KEY,
      path: '/logs/app.log',
      fingerprint: { bytes: 0, hash: '' },
      offset: 0,
      skipping: false,
    },
    { t: 'life', boot: 'before', sure: false },
    { t: 'gap', nextFile: 2 },
    { t: 'time', lastMs: NOW_MS - 1_000 },
  ];
  const journal = await openJournal({
    file: memoryJournal(entries.map(formatEntry).join('')),
    pipeline: 'p',
    topic: 'logs',
    policy: { fsync: 'interval', fsyncIntervalMs: 1_000 },
    clock,
    counts: { entries: () => {}, fsync: () => {}, failing: () => {} },
    bootId: 'after',
    logger: silentLogger,
  });
  const holes: string[] = [];
  const readableMs = clock.monotonicMs() + failsMs;
  let twice = 0;
  await clock.advance(0);
  const look = findLostIntents(topicWatch.view!, {
    journal,
    cluster,
    topicWatch,
    host: 'h',
    pipeline: 'p',
    reopen: async () => {
      await Promise.resolve();
      if (clock.monotonicMs() < readableMs) throw new Error('EIO: i/o error, open');
      return memoryFile(text);
    },
    onReplaced: (_why, records) => {
      twice += records;
    },
    delimiter: Buffer.from('\n'),
    skipsRests: of.skipsRests ?? false,
    decompress: decompressRecords,
    sendLines: ({ bytes, start, end, fileOffset }) => {
      holes.push(Buffer.from(bytes.subarray(start, end)).toString());
      journal.append({ t: 'skip', id: fileId, to: fileOffset + end - start, skipping: false });
      return Promise.resolve(true);
    },
    clock,
    random: () => 0,
    logger,
    log,
    signal: new AbortController().signal,
  });
  return {
    clock,
    cluster,
    journal,
    lines,
    holes,
    look,
    offset: () => journal.state.files.get(fileId)!.offset,
    twice: () => twice,
  };
}

const TEXT = 'one\ntwo\nthree\nfour\n';

describe('the machine went down and the journal lacks what was sent last', () => {
  test('what the topic has of a file is passed over; the journal has no gap any more', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 4]), await sent(TEXT, [4, 14])]);
    expect(s.journal.state.gap).toBeDefined();
    await s.look;
    expect(s.offset()).toBe(14);
    expect(s.holes).toEqual([]);
    expect(s.journal.state.gap).toBeUndefined();
  });

  test('lines that never arrived, with later ones that did in another partition, are sent; the later ones are not', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 4]), await sent(TEXT, [8, 14], { partition: 1 })]);
    await s.look;
    expect(s.holes).toEqual(['two\n']);
    expect(s.offset()).toBe(14);
  });

  test.each([
    ['of another host', { host: 'other', producerId: 2000n }],
    ['of another file', { fileId: 'fd-9-1' }],
    ['of a file that had the inode before', { fileId: `${KEY}-0` }],
  ])('batches %s say nothing', async (_, of) => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 4], of)]);
    await s.look;
    expect(s.offset()).toBe(0);
  });

  test('a file that the journal had not heard of has another number now, and the same inode and bytes', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 8], { fileId: `${KEY}-2` })], {
      fileId: `${KEY}-3`,
    });
    await s.look;
    expect(s.offset()).toBe(8);
  });

  test('other bytes stand in the file now: they are new lines', async () => {
    const s = await setUp('ONE\nTWO\n', [await sent(TEXT, [0, 4])]);
    await s.look;
    expect(s.offset()).toBe(0);
  });

  test('a piece of a long line whose rest did not arrive: the rest follows where lines are split', async () => {
    const long = `${'x'.repeat(1_500)}\n`;
    const s = await setUp(long, [await sent(long, [0, 1_000])]);
    await s.look;
    expect(s.offset()).toBe(1_000);
  });

  test('and where they are cut it goes again: nobody knows whether the rest has to be passed over', async () => {
    const long = `${'x'.repeat(1_500)}\n`;
    const piece = await sent(long, [0, 1_000]);
    const s = await setUp(long, [piece], { skipsRests: true });
    await s.look;
    expect(s.offset()).toBe(0);
    const both = await setUp(long, [piece, await sent(long, [1_000, 1_501])], { skipsRests: true });
    await both.look;
    expect(both.offset()).toBe(1_501);
  });

  test('the last line of a file, without a newline: delivered, and there is no rest that could be passed over', async () => {
    const text = 'one\nlast words';
    const s = await setUp(text, [await sent(text, [0, 4]), await sent(text, [4, 14])]);
    await s.look;
    expect(s.offset()).toBe(14);
  });

  test('a file that cannot be read for some seconds is waited for', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 4])], { failsMs: 5_000 });
    await s.clock.advance(10_000);
    await s.look;
    expect({ offset: s.offset(), twice: s.twice() }).toEqual({ offset: 4, twice: 0 });
  });

  test('one that still cannot be read does not end the pipeline: what may come twice is said and counted', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 8])], { failsMs: 60_000 });
    await s.clock.advance(30_000);
    await s.look;
    expect({ offset: s.offset(), twice: s.twice() }).toEqual({ offset: 0, twice: 2 });
    expect(s.lines.filter(({ message }) => message.includes('EIO: i/o error, open'))).toHaveLength(1);
    expect(s.journal.state.gap).toBeUndefined();
  });

  test('a topic that may not be read: said with the reason, and everything is sent', async () => {
    const s = await setUp(TEXT, [await sent(TEXT, [0, 4])]);
    s.cluster.fetchError = 29;
    await s.look;
    expect(s.offset()).toBe(0);
    expect(s.lines.filter(({ message }) => message.includes('TOPIC_AUTHORIZATION_FAILED'))).toHaveLength(1);
    expect(s.journal.state.gap).toBeUndefined();
  });
});
