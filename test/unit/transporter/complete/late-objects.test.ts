import { describe, expect, it } from 'vitest';
import { bucketMarkers } from '../../../../transporter/complete/bucket-markers.ts';
import { lateObjects } from '../../../../transporter/complete/late-objects.ts';
import { type ChunkObject, openChunk } from '../../../../transporter/chunk/open-chunk.ts';
import { nameInStore } from '../../../../transporter/chunk/write-chunk.ts';
import { nothingDecoded } from '../../../../transporter/decode/decode-range.ts';
import { bucketFinder } from '../../../../transporter/decode/time-bucket.ts';
import type { ObjectMetadata } from '../../../../transporter/store/object-store.ts';
import { workerConfig } from '../../../simulation/transporter/world.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const MINUTE = 60_000;

/** A chunk with one record at each of these times. */
function chunkOf(...timesMs: number[]) {
  const chunk = openChunk({ topic: 'logs', partition: 3 }, 100, workerConfig(() => 0.5).topics[0]!);
  const frames = timesMs.map((ms, index) => ({
    bucket: bucketFinder('hour', 'UTC')(ms),
    bytes: Buffer.from('x\n'),
    textBytes: 2,
    records: 1,
    firstOffset: 100 + index,
    lastOffset: 100 + index,
    minTimestampMs: ms,
    maxTimestampMs: ms,
  }));
  chunk.append({ ...nothingDecoded(200), frames });
  return chunk.close();
}

const usualName = ({ name }: ChunkObject): Promise<string> => Promise.resolve(name);

describe('late objects', () => {
  it('are those of the buckets that the partition had said to be through with', () => {
    const chunk = chunkOf(NOON - 90 * MINUTE, NOON - 1, NOON);
    const labels = (through: number | undefined) =>
      lateObjects(chunk, through).map(({ bucketLabel }) => bucketLabel);
    expect(labels(undefined)).toEqual([]);
    expect(labels(NOON - 1)).toEqual(['2026-07-31T10:00']);
    expect(labels(NOON)).toEqual(['2026-07-31T10:00', '2026-07-31T11:00']);
  });

  it('are not those of records without a time: nobody waits for their bucket', () => {
    expect(lateObjects(chunkOf(-1), NOON)).toEqual([]);
  });

  it('have a marker beside the _SUCCESS of their bucket that says which they are', async () => {
    const chunk = chunkOf(NOON - 1);
    const [late] = lateObjects(chunk, NOON);
    const [marker, ...others] = await bucketMarkers(chunk, [late!], usualName);
    expect(others).toEqual([]);
    expect(marker!.name).toBe('logs/logs/dt=2026-07-31/hr=11/_LATE-3-100');
    expect(JSON.parse(Buffer.concat(marker!.parts).toString())).toEqual({
      object: late!.name,
      records: 1,
      firstOffset: 100,
      lastOffset: 100,
    });
  });

  it('are marked by the name that they have in the store, also when another chunk has the usual one', async () => {
    const chunk = chunkOf(NOON - 1);
    const [late] = lateObjects(chunk, NOON);
    const markedAs = async (there: ObjectMetadata | undefined): Promise<unknown> => {
      const store = { describe: () => Promise.resolve(there) };
      const nameOf = (object: ChunkObject): Promise<string> =>
        nameInStore(object, { store, signal: new AbortController().signal });
      const [marker] = await bucketMarkers(chunk, [late!], nameOf);
      return JSON.parse(Buffer.concat(marker!.parts).toString());
    };
    expect(await markedAs(undefined)).toMatchObject({ object: late!.name });
    expect(await markedAs(late!.metadata)).toMatchObject({ object: late!.name });
    expect(await markedAs({ ...late!.metadata, 'skald-chunk': 'another' })).toMatchObject({
      object: late!.spareName,
    });
  });

  it('are marked in the bucket of its timestamp too, when a record went to the quarantine', async () => {
    const chunk = openChunk({ topic: 'logs', partition: 3 }, 100, workerConfig(() => 0.5).topics[0]!);
    const refused = { bytes: Buffer.from('{}\n'), textBytes: 3, records: 2, batches: 0, byReason: {} };
    const place = { firstOffset: 101, lastOffset: 105, timestampMs: NOON - 1 };
    chunk.append({ ...nothingDecoded(200), refused: { ...refused, ...place } });
    const closed = chunk.close();
    const [marker] = await bucketMarkers(closed, lateObjects(closed, undefined), usualName);
    expect(marker!.name).toBe('logs/logs/dt=2026-07-31/hr=11/_QUARANTINE-3-100');
    expect(marker!.metadata['skald-quarantined-records']).toBe('2');
    expect(JSON.parse(Buffer.concat(marker!.parts).toString())).toEqual({
      object: closed.objects[0]!.name,
      records: 2,
      firstOffset: 101,
      lastOffset: 105,
    });
  });
});
