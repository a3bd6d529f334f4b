import { describe, expect, test } from 'vitest';
import { encodeBatches, type JobSegment } from '../../../../agent/batch/encode-batches.ts';
import { heldLines } from '../../../../agent/publish/held-lines.ts';
import { type BatchSettings, sealPart } from '../../../../agent/publish/seal.ts';
import { decompressRecords } from '../../../../shared/wire/decode-records.ts';

const SETTINGS: BatchSettings = {
  timestampMs: 1_700_000_000_000,
  codec: 'gzip',
  level: undefined,
  maxRecordBytes: 10,
  oversize: 'split',
  framing: undefined,
  keying: undefined,
};
const IDENTITY = { n: 1, partition: 0, producerId: 7n, producerEpoch: 0, baseSequence: 0 };

/** A batch of what some files held, as it would be sent. */
async function batchOf(files: Record<string, string>) {
  const segments = Object.entries(files).map(([fileId, text]): JobSegment => {
    const bytes = Buffer.from(text);
    const terminated = text.endsWith('\n');
    return { bytes, start: 0, end: bytes.length, terminated, skipRest: false, fileId, fileOffset: 5 };
  });
  const { level: _, keying, ...rest } = SETTINGS;
  const options = { ...rest, host: 'h', pipeline: 'p' };
  const [part] = await encodeBatches({ segments, options, keying, maxBatchBytes: Infinity });
  return sealPart({ part: part!, settings: SETTINGS, heldBytes: part!.batch.length }, IDENTITY);
}

async function held(batch: Awaited<ReturnType<typeof batchOf>>): Promise<Record<string, string>> {
  const lines = await heldLines(batch, decompressRecords);
  return Object.fromEntries([...lines].map(([{ file }, bytes]) => [file, Buffer.from(bytes).toString()]));
}

describe('the lines of a batch in memory', () => {
  test('are the bytes of its files, empty lines and a last line without a line break too', async () => {
    const files = { a: 'one\n\ntwo\n', b: '\n', c: 'three\nfour' };
    expect(await held(await batchOf(files))).toEqual(files);
  });

  test('a line was cut in two: that file is not known from them, the others are', async () => {
    const batch = await batchOf({ a: 'one\n', b: 'longer than ten\n', c: 'three\n' });
    expect(batch.intent.records).toBe(4);
    expect(await held(batch)).toEqual({ a: 'one\n', c: 'three\n' });
  });

  test('its records have keys: not all lines of a range are in it', async () => {
    const batch = await batchOf({ a: 'one\n' });
    const keying = { source: { type: 'pattern' as const, pattern: '(.*)' }, partitions: 3, keyless: 0 };
    expect(await held({ ...batch, intent: { ...batch.intent, keying } })).toEqual({});
  });

  test('damaged in memory: none of it is believed', async () => {
    const batch = await batchOf({ a: 'one\n' });
    batch.bytes[batch.bytes.length - 1]! ^= 1;
    expect(await held(batch)).toEqual({});
  });
});
