import { describe, expect, it } from 'vitest';
import { completeThrough, firstProgress } from '../../../../transporter/complete/topic-progress.ts';

const offset = (partition: number, metadata: string, committed = 100) => ({
  topic: 'logs',
  partition,
  offset: committed,
  metadata,
  errorCode: 0,
});

describe('the time up to which a topic is complete', () => {
  it('is that of its slowest partition', () => {
    expect(completeThrough([offset(0, '{"through":30}'), offset(1, '{"through":10}')])).toBe(10);
  });

  it.each([
    ['a partition has never been read', [offset(0, '{"through":30}'), offset(1, '', -1)]],
    ['the version before has written an offset', [offset(0, '{"through":30}'), offset(1, '')]],
    ['another program has', [offset(0, 'mine')]],
    ['there are no partitions', []],
  ])('is not known while %s', (_, offsets) => {
    expect(completeThrough(offsets)).toBeUndefined();
  });

  it('is known beside an intent too', () => {
    expect(completeThrough([offset(0, '{"skald":2,"end":120,"through":30}')])).toBe(30);
  });
});

describe('a partition that the group has not read before', () => {
  it('begins the marks of the topic, when it is the first', () => {
    expect(firstProgress(0, offset(0, '', -1))).toEqual({ marked: 0 });
  });

  it('knows nothing while the topic is new', () => {
    expect(firstProgress(7, offset(0, '', -1))).toEqual({});
    expect(firstProgress(7, offset(0, '{"marked":0}'))).toEqual({});
  });

  it('is late for the buckets that are finished, when it was added later', () => {
    expect(firstProgress(7, offset(0, '{"through":30,"marked":20}'))).toEqual({ through: 20 });
  });

  it('is late for those that are about to be finished, too', () => {
    expect(firstProgress(7, offset(0, '{"through":30,"marked":20,"closed":25}'))).toEqual({ through: 25 });
    expect(firstProgress(7, offset(0, '{"through":30,"marked":0,"closed":25}'))).toEqual({ through: 25 });
  });
});
