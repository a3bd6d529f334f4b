import { describe, expect, it } from 'vitest';
import { cutDue, MAX_BUCKETS } from '../../../../transporter/chunk/cut-policy.ts';

const limits = { maxBytes: 1000, maxAgeMs: 60_000, bucketGraceMs: 5000 };
const NOON = Date.parse('2026-07-31T12:00:00Z');
const chunk = { bytes: 999, buckets: 1, openedAtMs: 100, bucketEndMs: NOON };
const now = { monotonicMs: 60_099, takenToMs: NOON + 4999 };

describe('cutDue', () => {
  it('leaves a chunk open that is just below every limit', () => {
    expect(cutDue(chunk, limits, now)).toBeUndefined();
  });

  it.each([
    ['bytes', { ...chunk, bytes: 1000 }, now],
    ['age', chunk, { ...now, monotonicMs: 60_100 }],
    ['bucket-end', chunk, { ...now, takenToMs: NOON + 5000 }],
    ['buckets', { ...chunk, buckets: MAX_BUCKETS + 1 }, now],
  ] as const)('cuts for %s exactly at its limit', (reason, facts, at) => {
    expect(cutDue(facts, limits, at)).toBe(reason);
  });

  it('does not cut at the end of a bucket before it is known that all of the bucket has been taken', () => {
    expect(cutDue(chunk, limits, { ...now, takenToMs: undefined })).toBeUndefined();
  });
});
