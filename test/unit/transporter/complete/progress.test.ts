import { describe, expect, it } from 'vitest';
import { decodeProgress, encodeProgress } from '../../../../transporter/complete/progress.ts';

describe('the progress of a partition in the metadata of its offset', () => {
  it.each([
    [{ through: 1_785_499_200_000 }],
    [{ through: 1_785_499_200_000, marked: 0 }],
    [{ marked: 0 }],
    [{ through: 9, marked: 3, closed: 7 }],
    [
      {
        log: 'AAECAwQFBgcICQoLDA0ODw.e7',
        epochs: [
          { epoch: 7, offset: 0 },
          { epoch: 9, offset: 4711 },
        ],
      },
    ],
    [{ epochs: [{ epoch: 0, offset: 3 }] }],
    [{}],
  ])('comes back as it was written: %j', (progress) => {
    expect(decodeProgress(encodeProgress(progress))).toEqual(progress);
  });

  it('is not there in metadata that says nothing, which every version writes and reads', () => {
    expect(encodeProgress({})).toBe('');
  });

  it('is no intent to the version before it, which would refuse the partition', () => {
    expect(encodeProgress({ through: 1, marked: 1 }).startsWith('{"skald":')).toBe(false);
  });

  it('is read although a later version has written more', () => {
    expect(decodeProgress('{"through":7,"marked":5,"more":[1]}')).toEqual({ through: 7, marked: 5 });
  });

  it.each([
    '',
    'checkpoint of another consumer',
    '{"offset":3}',
    '{"through":',
    '{"through":"noon"}',
    '{"through":-1}',
    '{"epochs":[[1,2],[3]]}',
  ])('is not in the metadata %j', (metadata) => {
    expect(decodeProgress(metadata)).toEqual({});
  });
});
