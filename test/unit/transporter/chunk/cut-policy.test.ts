import { describe, expect, it } from 'vitest';
import { cutDue, earlierBucketEnd, MAX_BUCKETS } from '../../../../transporter/chunk/cut-policy.ts';

const limits = { maxBytes: 1000, maxAgeMs: 60_000, bucketGraceMs: 5000 };
const NOON = Date.parse('2026-07-31T12:00:00Z');
const chunk = { bytes: 999, buckets: 1, openedAtMs: 100, bucketEndMs: NOON };
const now = { monotonicMs: 60_099, wallMs: NOON + 4999 };

describe('cutDue', () => {
  it('leaves a chunk open that is just below every limit', () => {
    expect(cutDue(chunk, limits, now)).toBeUndefined();
  });

  it.each([
    ['bytes', { ...chunk, bytes: 1000 }, now],
    ['age', chunk, { ...now, monotonicMs: 60_100 }],
    ['bucket-end', chunk, { ...now, wallMs: NOON + 5000 }],
    ['buckets', { ...chunk, buckets: MAX_BUCKETS + 1 }, now],
  ] as const)('cuts for %s exactly at its limit', (reason, facts, at) => {
    expect(cutDue(facts, limits, at)).toBe(reason);
  });

  it('has no bucket end to wait for without records', () => {
    expect(cutDue({ ...chunk, bucketEndMs: Infinity }, limits, now)).toBeUndefined();
  });
});

describe('earlierBucketEnd', () => {
  it('takes the first end that is still to come, its grace included', () => {
    expect(earlierBucketEnd(Infinity, NOON, limits, NOON + 4999)).toBe(NOON);
    expect(earlierBucketEnd(NOON, NOON + 3_600_000, limits, NOON)).toBe(NOON);
  });

  it('does not cut for late records: each of them would make an object', () => {
    expect(earlierBucketEnd(Infinity, NOON, limits, NOON + 5000)).toBe(Infinity);
  });
});
