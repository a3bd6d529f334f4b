import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeBatches,
  type EncodedPart,
  type EncodeJob,
  type JobSegment,
} from '../../../../agent/batch/encode-batches.ts';
import { halve } from '../../../../agent/batch/halve.ts';
import { decodeRecords } from '../../../../shared/wire/decode-records.ts';
import { crc32c } from '../../../../shared/wire/crc32c.ts';
import { verifyBatch } from '../../../../shared/wire/record-batch.ts';
import { PROVENANCE_HEADER, decodeProvenance } from '../../../../shared/wire/provenance.ts';

type Oversize = 'split' | 'truncate' | 'drop';

function segment(text: string | Buffer, fields: Partial<JobSegment> = {}): JobSegment {
  const bytes = Buffer.from(text);
  const terminated = bytes.at(-1) === 0x0a;
  return {
    bytes,
    start: 0,
    end: bytes.length,
    terminated,
    skipRest: false,
    fileId: 'f-1',
    fileOffset: 0,
    ...fields,
  };
}

function job(
  segments: JobSegment[],
  options: { oversize?: Oversize; maxRecordBytes?: number; maxBatchBytes?: number },
): EncodeJob {
  return {
    segments,
    maxBatchBytes: options.maxBatchBytes ?? Infinity,
    options: {
      codec: 'none',
      timestampMs: 1_700_000_000_000,
      host: 'h',
      pipeline: 'p',
      maxRecordBytes: options.maxRecordBytes ?? 1_000,
      oversize: options.oversize ?? 'split',
    },
  };
}

async function valuesOf(parts: readonly EncodedPart[]): Promise<Buffer[]> {
  const values: Buffer[] = [];
  for (const { batch } of parts) {
    if (batch.length === 0) continue;
    const { records } = await decodeRecords(batch, { maxOutputBytes: 1 << 24 });
    values.push(...records.map((record) => Buffer.from(record.value!)));
  }
  return values;
}

/** What a reader of the whole text would make of it: the policy, written down once more in the simplest way. */
function expectedRecords(text: Buffer, maxRecordBytes: number, oversize: Oversize): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf(0x0a, at);
    const end = newline === -1 ? text.length : newline;
    const line = text.subarray(at, end);
    at = end + 1;
    if (line.length <= maxRecordBytes) records.push(line);
    else if (oversize === 'truncate') records.push(line.subarray(0, maxRecordBytes));
    else if (oversize === 'split') {
      for (let cut = 0; cut < line.length; cut += maxRecordBytes) {
        records.push(line.subarray(cut, cut + maxRecordBytes));
      }
    }
  }
  return records;
}

describe('a batch that fits', () => {
  test('is one part with a range for each segment, its flags kept', async () => {
    const segments = [
      segment('a1\na2\n', { fileOffset: 100 }),
      segment('b1\nhalf', { fileId: 'f-2', fileOffset: 7, skipRest: true }),
    ];
    const [part, ...more] = await encodeBatches(job(segments, {}));
    expect(more).toEqual([]);
    expect(part).toMatchObject({ records: 4, rawBytes: 13, oversized: { records: 0, bytes: 0 } });
    expect(part!.ranges).toEqual([
      {
        file: 'f-1',
        start: 100,
        end: 106,
        terminated: true,
        skipRest: false,
        crc32c: crc32c(Buffer.from('a1\na2\n')),
      },
      {
        file: 'f-2',
        start: 7,
        end: 14,
        terminated: false,
        skipRest: true,
        crc32c: crc32c(Buffer.from('b1\nhalf')),
      },
    ]);
  });

  test('a range that is longer than a mark says what its last kilobyte is', async () => {
    const text = `${'x'.repeat(900)}\n${'y'.repeat(799)}\n`;
    const [part] = await encodeBatches(job([segment(text)], {}));
    expect(part!.ranges[0]!.tail).toBe(crc32c(Buffer.from(text.slice(-1024))));
  });

  test('the same job gives the same bytes: a crashed agent can send it again', async () => {
    const build = () => encodeBatches(job([segment('a\nb\n'.repeat(100))], { maxBatchBytes: 500 }));
    expect(await build()).toEqual(await build());
  });

  test('of lines that are all dropped is empty, and says which bytes it stands for', async () => {
    const [part] = await encodeBatches(
      job([segment(`${'x'.repeat(50)}\n`)], { oversize: 'drop', maxRecordBytes: 10 }),
    );
    expect(part).toMatchObject({ records: 0, rawBytes: 51, oversized: { records: 1, bytes: 50 } });
    expect(part!.batch).toHaveLength(0);
    expect(part!.ranges).toMatchObject([{ start: 0, end: 51 }]);
  });
});

describe('cutting in two', () => {
  test('several segments between them, near the middle of their bytes', () => {
    const segments = [segment('a\n'.repeat(10)), segment('b\n'.repeat(50)), segment('c\n'.repeat(10))];
    const [left, right] = halve(segments, job([], {}).options)!;
    expect([left.length, right.length]).toEqual([2, 1]);
  });

  test('one segment behind a newline', () => {
    const [left, right] = halve([segment('one\ntwo\nthree\n')], job([], {}).options)!;
    expect(left).toMatchObject([{ start: 0, end: 4, terminated: true }]);
    expect(right).toMatchObject([{ start: 4, end: 14, fileOffset: 4, terminated: true }]);
  });

  test('one line not at all, unless it is split anyway: then where the encoder cuts it', () => {
    const line = segment(`${'x'.repeat(3_500)}\n`);
    expect(halve([line], job([], { oversize: 'truncate' }).options)).toBeUndefined();
    expect(halve([segment('short\n')], job([], {}).options)).toBeUndefined();
    const [left, right] = halve([line], job([], {}).options)!;
    expect(left).toMatchObject([{ end: 2_000, terminated: false, skipRest: false }]);
    expect(right).toMatchObject([{ start: 2_000, end: 3_501, fileOffset: 2_000, terminated: true }]);
  });

  test('only the second half passes the rest of the last line over', () => {
    const [left, right] = halve([segment('one\ntwo', { skipRest: true })], job([], {}).options)!;
    expect([left[0]!.skipRest, right[0]!.skipRest]).toEqual([false, true]);
  });
});

describe('whatever the lines and limits', () => {
  const content = fc.array(fc.constantFrom(0x0a, 0x0a, 0x61, 0x62, 0x00, 0xff), {
    minLength: 1,
    maxLength: 600,
  });
  const inputs = fc.record({
    contents: fc.array(content, { minLength: 1, maxLength: 4 }),
    maxRecordBytes: fc.integer({ min: 1, max: 60 }),
    maxBatchBytes: fc.integer({ min: 150, max: 1_200 }),
    oversize: fc.constantFrom<Oversize>('split', 'truncate', 'drop'),
  });

  test('the records are those of the whole text, in order, and the ranges tile it', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async ({ contents, maxRecordBytes, maxBatchBytes, oversize }) => {
        const segments = contents.map((bytes, i) =>
          segment(Buffer.from(bytes), { fileId: `f-${i}`, fileOffset: i * 10_000 }),
        );
        const parts = await encodeBatches(job(segments, { oversize, maxRecordBytes, maxBatchBytes }));

        const expected = contents.flatMap((bytes) =>
          expectedRecords(Buffer.from(bytes), maxRecordBytes, oversize),
        );
        expect(await valuesOf(parts)).toEqual(expected);
        expect(parts.reduce((sum, part) => sum + part.records, 0)).toBe(expected.length);

        const ranges = parts.flatMap((part) => part.ranges);
        for (const [i, bytes] of contents.entries()) {
          let at = i * 10_000;
          for (const range of ranges.filter((r) => r.file === `f-${i}`)) {
            expect(range.start).toBe(at);
            const piece = Buffer.from(bytes).subarray(range.start - i * 10_000, range.end - i * 10_000);
            expect(range.crc32c).toBe(crc32c(piece));
            at = range.end;
          }
          expect(at).toBe(i * 10_000 + bytes.length);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('no part is above the limit but one of a single record, and each is whole with its provenance', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async ({ contents, maxRecordBytes, maxBatchBytes, oversize }) => {
        const segments = contents.map((bytes, i) => segment(Buffer.from(bytes), { fileId: `f-${i}` }));
        const parts = await encodeBatches(job(segments, { oversize, maxRecordBytes, maxBatchBytes }));
        for (const { batch, records, ranges } of parts) {
          expect(batch.length <= maxBatchBytes || records <= 1).toBe(true);
          if (records === 0) continue;
          const header = verifyBatch(batch, { start: 0, end: batch.length });
          expect(header.recordCount).toBe(records);
          const decoded = await decodeRecords(batch, { maxOutputBytes: 1 << 20 });
          const own = decoded.records[0]!.headers.find(({ key }) => key === PROVENANCE_HEADER)!;
          expect(decodeProvenance(own.value!).ranges.map(({ start, end }) => [start, end])).toEqual(
            ranges.map(({ start, end }) => [start, end]),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  test('each line that is too long is counted once, with the bytes that are in no record', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async ({ contents, maxRecordBytes, maxBatchBytes, oversize }) => {
        const segments = contents.map((bytes) => segment(Buffer.from(bytes)));
        const parts = await encodeBatches(job(segments, { oversize, maxRecordBytes, maxBatchBytes }));
        const lines = contents.flatMap((bytes) => Buffer.from(bytes).toString('latin1').split('\n'));
        const long = lines.filter((line) => line.length > maxRecordBytes);
        const kept = { split: Infinity, truncate: maxRecordBytes, drop: 0 }[oversize];
        expect(parts.reduce((sum, part) => sum + part.oversized.records, 0)).toBe(long.length);
        expect(parts.reduce((sum, part) => sum + part.oversized.bytes, 0)).toBe(
          long.reduce((sum, line) => sum + Math.max(0, line.length - kept), 0),
        );
      }),
      { numRuns: 200 },
    );
  });
});
