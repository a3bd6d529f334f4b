import { describe, expect, it } from 'vitest';
import { openLocalStore } from '../../../../transporter/store/local-store.ts';
import { writeSuccess } from '../../../../transporter/complete/success-object.ts';
import { workerConfig } from '../../../simulation/transporter/world.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const FOLDER = 'logs/logs/dt=2026-07-31/hr=11/';
const config = workerConfig(() => 0.5).topics[0]!;
const startMs = Date.parse('2026-07-31T11:00:00Z');
const bucket = { label: '2026-07-31T11:00', startMs, endMs: startMs + 3_600_000 };
const { signal } = new AbortController();

async function stage() {
  const directory = await tempDir();
  const store = openLocalStore({ type: 'local', directory });
  const put = async (name: string, metadata: Record<string, string>, text = 'text') =>
    store.put(`${FOLDER}${name}`, [Buffer.from(text)], { contentType: 'text/plain', metadata, signal });
  const data = (partition: number, firstOffset: number, records: number) => ({
    'skald-topic': 'logs',
    'skald-partition': String(partition),
    'skald-first-offset': String(firstOffset),
    'skald-last-offset': String(firstOffset + records - 1),
    'skald-records': String(records),
    'skald-crc32c': 'AAAAAA==',
  });
  const write = () => writeSuccess({ config, bucket, partitions: 12 }, store, signal);
  const read = async (): Promise<unknown> =>
    JSON.parse(await readFile(join(directory, FOLDER, '_SUCCESS'), 'utf8'));
  return { directory, put, data, write, read };
}

describe('_SUCCESS', () => {
  it('lists the objects of the bucket by partition and offset, with what they hold, and nothing else', async () => {
    const { put, data, write, read } = await stage();
    await put('10-7.log', data(10, 7, 3), 'aaa');
    await put('2-100.log', data(2, 100, 5), 'bbbbb');
    await put('2-9.log', data(2, 9, 1), 'c');
    await put('_LATE-2-9', {});
    await put('_QUARANTINE-2-9', { 'skald-quarantined-records': '3' });
    await put('_QUARANTINE-7-1', { 'skald-quarantined-records': '1' });
    await put('somebody-elses.txt', {});
    await put('another-topics.log', { ...data(1, 1, 1), 'skald-topic': 'other' });
    expect(await write()).toBe(true);
    const object = (name: string, partition: number, firstOffset: number, records: number, bytes: number) => {
      const lastOffset = firstOffset + records - 1;
      return {
        key: `${FOLDER}${name}`,
        bytes,
        records,
        partition,
        firstOffset,
        lastOffset,
        crc32c: 'AAAAAA==',
      };
    };
    expect(await read()).toEqual({
      version: 1,
      topic: 'logs',
      bucket: '2026-07-31T11:00',
      timeZone: 'UTC',
      start: '2026-07-31T11:00:00.000Z',
      end: '2026-07-31T12:00:00.000Z',
      partitions: 12,
      records: 9,
      bytes: 9,
      quarantinedRecords: 4,
      objects: [
        object('2-9.log', 2, 9, 1, 1),
        object('2-100.log', 2, 100, 5, 5),
        object('10-7.log', 10, 7, 3, 3),
      ],
    });
  });

  it('says of an hour without a record that there is none', async () => {
    const { write, read } = await stage();
    expect(await write()).toBe(true);
    expect(await read()).toMatchObject({ records: 0, bytes: 0, objects: [] });
  });

  it('stays as it is whatever comes later, and whoever writes it again', async () => {
    const { directory, put, data, write, read } = await stage();
    await put('2-9.log', data(2, 9, 1));
    const written = await Promise.all([write(), write(), write()]);
    expect(written.filter(Boolean)).toHaveLength(1);
    const before = await read();
    const { ino } = await stat(join(directory, FOLDER, '_SUCCESS'));
    await put('2-10.log', data(2, 10, 1));
    expect(await write()).toBe(false);
    expect(await read()).toEqual(before);
    expect((await stat(join(directory, FOLDER, '_SUCCESS'))).ino).toBe(ino);
  });
});
