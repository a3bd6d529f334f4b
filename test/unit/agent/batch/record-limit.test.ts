import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { encodeBatches } from '../../../../agent/batch/encode-batches.ts';
import { recordLimit } from '../../../../agent/batch/record-limit.ts';

const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
const DEFAULT_MAX_RECORD_BYTES = 1_000 * 1024;

test('the default record fits into the default topic', () => {
  expect(recordLimit(DEFAULT_MAX_RECORD_BYTES, DEFAULT_MAX_MESSAGE_BYTES)).toBe(DEFAULT_MAX_RECORD_BYTES);
});

test('a record is never larger than the pipeline wants', () => {
  expect(recordLimit(1_000, DEFAULT_MAX_MESSAGE_BYTES)).toBe(1_000);
});

test.each([1_048_588, 500_000, 20_000, 6_000, 4_100, 2_048] as const)(
  'with max.message.bytes=%i a record of the limit fits, in every codec and with the longest names',
  async (maxMessageBytes) => {
    const limit = recordLimit(Infinity, maxMessageBytes);
    expect(limit).toBeGreaterThanOrEqual(maxMessageBytes / 4 - 1);
    // Random bytes are what a codec gains nothing on.
    const bytes = randomBytes(limit).map((byte) => (byte === 0x0a ? 0x0b : byte));
    for (const codec of ['none', 'gzip', 'lz4', 'zstd'] as const) {
      const segment = {
        bytes,
        start: 0,
        end: limit,
        terminated: false,
        skipRest: false,
        fileOffset: 2 ** 40,
      };
      const parts = await encodeBatches({
        segments: [{ ...segment, fileId: `${'f'.repeat(16)}-${'f'.repeat(16)}-999999` }],
        options: {
          codec,
          timestampMs: 1_700_000_000_000,
          host: 'h'.repeat(253),
          pipeline: 'p'.repeat(100),
          maxRecordBytes: limit,
          oversize: 'split',
        },
        maxBatchBytes: maxMessageBytes,
      });
      expect(parts.map((part) => part.records)).toEqual([1]);
      expect(parts[0]!.batch.length).toBeLessThanOrEqual(maxMessageBytes);
    }
  },
);
