import { describe, expect, it } from 'vitest';
import { batchSize } from '../../../../agent/batch/batch-size.ts';

const MIB = 1024 ** 2;
/** The topic takes a mebibyte, and four fifths of it are aimed at. */
const AIM = Math.floor(0.8 * MIB);

describe('batchSize', () => {
  it('begins with text that the topic takes even if nothing can be made of it', () => {
    expect(batchSize(4 * MIB, () => MIB).textBytes).toBe(AIM);
    expect(batchSize(MIB / 2, () => MIB).textBytes).toBe(MIB / 2);
  });

  it('takes as much as comes to what the topic takes, up to what the pipeline wants', () => {
    const size = batchSize(4 * MIB, () => MIB);
    for (let batches = 0; batches < 50; batches += 1) size.note(MIB, MIB / 2);
    expect(size.textBytes).toBeGreaterThan(1.99 * AIM);
    expect(size.textBytes).toBeLessThanOrEqual(2 * AIM);
    for (let batches = 0; batches < 50; batches += 1) size.note(MIB, MIB / 8);
    expect(size.textBytes).toBe(4 * MIB);
  });

  it('believes at once that text has become worse, and slowly that it has become better', () => {
    const size = batchSize(4 * MIB, () => MIB);
    for (let batches = 0; batches < 50; batches += 1) size.note(MIB, MIB / 8);
    size.note(MIB, MIB);
    expect(size.textBytes).toBe(AIM);
    size.note(MIB, MIB / 8);
    expect(size.textBytes).toBeGreaterThan(AIM);
    expect(size.textBytes).toBeLessThan(2 * AIM);
  });

  it('expects a batch to be a little larger than those before, and no larger than the topic takes', () => {
    const size = batchSize(4 * MIB, () => MIB);
    expect([size.batchBytes(100), size.batchBytes(4 * MIB)]).toEqual([100, MIB]);
    for (let batches = 0; batches < 50; batches += 1) size.note(MIB, MIB / 8);
    expect(size.batchBytes(4 * MIB)).toBeGreaterThan(MIB / 2);
    expect(size.batchBytes(4 * MIB)).toBeLessThan(0.6 * MIB);
    expect(size.batchBytes(1_000)).toBe(1_000);
  });

  it('heeds another limit of the topic', () => {
    let limit = MIB;
    const size = batchSize(4 * MIB, () => limit);
    limit = 2 * MIB;
    expect(size.textBytes).toBe(Math.floor(0.8 * limit));
    limit = 0;
    expect(size.textBytes).toBe(1);
  });

  it('learns nothing from little text, of which the header is a large part', () => {
    const size = batchSize(4 * MIB, () => MIB);
    for (let batches = 0; batches < 50; batches += 1) size.note(MIB, MIB / 8);
    size.note(100, 300);
    expect(size.textBytes).toBe(4 * MIB);
  });
});
