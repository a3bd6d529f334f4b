import { describe, expect, it } from 'vitest';
import { bucketFolder, bucketFolderLevels, labelOf } from '../../../../transporter/complete/bucket-folder.ts';
import type { Layout } from '../../../../transporter/chunk/layout.ts';

const layout: Layout = {
  prefix: 'logs/raw',
  template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'zstd',
  level: 3,
};

describe('the folder of a time bucket', () => {
  it('is the name of its objects up to the last slash', () => {
    expect(bucketFolder(layout, 'web', '2026-07-31T11:00')).toBe('logs/raw/web/dt=2026-07-31/hr=11/');
  });

  it.each([
    ['dt={yyyy}-{mm}-{dd}/hr={hh}', ['dt=2026-07-31', 'hr=11'], '2026-07-31T11:00'],
    ['{yyyy}/{mm}/{dd}', ['2026', '07', '31'], '2026-07-31T00:00'],
    ['{yyyy}{mm}{dd}{hh}{mi}', ['202607311159'], '2026-07-31T11:59'],
    ['{yyyy}/day={yyyy}-{mm}-{dd}', ['2026', 'day=2026-07-31'], '2026-07-31T00:00'],
  ])('of %s is found again, level by level', (time, names, label) => {
    const template = `{prefix}/{topic}/${time}/{partition}-{firstOffset}`;
    const { root, levels } = bucketFolderLevels({ prefix: 'logs/raw', template }, 'we.b');
    expect(root).toBe('logs/raw/we.b/');
    expect(levels).toHaveLength(names.length);
    const fields = Object.assign({}, ...names.map((name, i) => levels[i]!.exec(name)?.groups ?? {}));
    expect(labelOf(fields)).toBe(label);
  });

  it.each(['dt=2026-07-3', 'xdt=2026-07-31', 'dt=2026-07-31x', 'dt=a'])('is not %s', (name) => {
    expect(bucketFolderLevels(layout, 'web').levels[0]!.test(name)).toBe(false);
  });

  it('takes text in a template for what it is', () => {
    const template = '{prefix}/{topic}/{yyyy}.{mm}+{dd}/{partition}-{firstOffset}';
    const [level] = bucketFolderLevels({ prefix: 'logs', template }, 'web').levels;
    expect([level!.test('2026.07+31'), level!.test('2026x07+31')]).toEqual([true, false]);
  });
});
