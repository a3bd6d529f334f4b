import { describe, expect, it } from 'vitest';
import { openChunk } from '../../../../transporter/chunk/open-chunk.ts';
import { nothingDecoded } from '../../../../transporter/decode/decode-range.ts';
import type { DecodedFrame } from '../../../../transporter/decode/decoded-frame.ts';

const layout = {
  prefix: 'logs',
  template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
  bucket: 'hour',
  timeZone: 'UTC',
  time: { type: 'timestamp' },
  format: 'lines',
  columns: [],
  codec: 'none',
} as const;

function frame(hour: string, firstOffset: number, records: number, text: string): DecodedFrame {
  const startMs = Date.parse(`2026-07-31T${hour}:00:00Z`);
  return {
    bucket: { label: `2026-07-31T${hour}:00`, startMs, endMs: startMs + 3_600_000 },
    bytes: Buffer.from(text),
    records,
    textBytes: text.length,
    firstOffset,
    lastOffset: firstOffset + records - 1,
    minTimestampMs: startMs + firstOffset,
    maxTimestampMs: startMs + firstOffset + records,
  };
}

describe('openChunk', () => {
  it('makes one object for each hour, named by the offset at which the chunk begins, of all its frames in order', () => {
    const chunk = openChunk({ topic: 'logs', partition: 3 }, 100, layout);
    const [first, second] = [nothingDecoded(103), nothingDecoded(110)];
    chunk.append({ ...first, frames: [frame('11', 100, 2, 'a\nb\n'), frame('12', 102, 1, 'c\n')] });
    chunk.append({ ...second, frames: [frame('12', 103, 1, 'd\n'), frame('11', 104, 1, 'e\n')] });
    const closed = chunk.close();
    expect(closed).toMatchObject({
      topic: 'logs',
      partition: 3,
      start: 100,
      end: 110,
      records: 5,
      objectBytes: 10,
    });
    expect(closed.objects.map(({ name, parts }) => [name, Buffer.concat(parts).toString()])).toEqual([
      ['logs/logs/dt=2026-07-31/hr=11/3-100.log', 'a\nb\ne\n'],
      ['logs/logs/dt=2026-07-31/hr=12/3-100.log', 'c\nd\n'],
    ]);
    expect(closed.objects[0]!.metadata).toEqual({
      'skald-topic': 'logs',
      'skald-partition': '3',
      'skald-chunk': expect.stringMatching(/^[0-9a-f]{12}$/),
      'skald-first-offset': '100',
      'skald-last-offset': '104',
      'skald-records': '3',
      'skald-text-bytes': '6',
      'skald-min-timestamp-ms': String(Date.parse('2026-07-31T11:00:00.100Z')),
      'skald-max-timestamp-ms': String(Date.parse('2026-07-31T11:00:00.105Z')),
      // CRC-32C (RFC 3720) of "a\nb\ne\n", by a bitwise one in another language.
      'skald-crc32c': 'hCN+jA==',
    });
  });

  it('has one object for all that was refused, however many jobs it comes from', () => {
    const chunk = openChunk({ topic: 'logs', partition: 3 }, 0, layout);
    const refused = (firstOffset: number, lastOffset: number) => {
      const text = `lines ${firstOffset} to ${lastOffset}\n`;
      const records = lastOffset - firstOffset + 1;
      return {
        bytes: Buffer.from(text),
        textBytes: text.length,
        records,
        byReason: { RECORD_NOT_JSON: records },
        batches: 1,
        firstOffset,
        lastOffset,
      };
    };
    chunk.append({ ...nothingDecoded(6), refused: refused(2, 5) });
    chunk.append({ ...nothingDecoded(7), frames: [frame('11', 6, 1, 'good\n')] });
    chunk.append({ ...nothingDecoded(8), refused: refused(7, 7) });
    expect(chunk.textBytes).toBe('lines 2 to 5\ngood\nlines 7 to 7\n'.length);
    const closed = chunk.close();
    expect(closed).toMatchObject({ records: 1, objectBytes: chunk.objectBytes });
    expect(closed.objects.map(({ name }) => name)).toEqual([
      'logs/logs/dt=2026-07-31/hr=11/3-0.log',
      'logs/quarantine/logs/3-0.jsonl',
    ]);
    expect(closed.objects[1]).toMatchObject({
      records: 0,
      contentType: 'application/jsonl',
      metadata: {
        'skald-topic': 'logs',
        'skald-partition': '3',
        'skald-first-offset': '2',
        'skald-last-offset': '7',
        'skald-quarantined-records': '5',
        'skald-quarantined-batches': '2',
      },
    });
    expect(Buffer.concat(closed.objects[1]!.parts).toString()).toBe('lines 2 to 5\nlines 7 to 7\n');
  });

  it('gives the same names to what is left, when Kafka has deleted its first records', () => {
    const of = (frames: DecodedFrame[], end: number) => {
      const chunk = openChunk({ topic: 'logs', partition: 3 }, 100, layout);
      chunk.append({ ...nothingDecoded(end), frames });
      return chunk
        .close()
        .objects.map(({ name, spareName, metadata }) => [name, spareName, metadata['skald-chunk']]);
    };
    const whole = of([frame('11', 100, 5, 'a\n')], 110);
    expect(of([frame('11', 103, 2, 'b\n')], 110)).toEqual(whole);
    const [name, spareName, id] = whole[0]!;
    expect([name, spareName]).toEqual([
      'logs/logs/dt=2026-07-31/hr=11/3-100.log',
      `logs/logs/dt=2026-07-31/hr=11/3-100-${id}.log`,
    ]);
    expect(of([frame('11', 100, 5, 'a\n')], 111)[0]![2]).not.toBe(id);
  });

  it('is no object at all when only transaction markers were there, but moves on', () => {
    const chunk = openChunk({ topic: 'logs', partition: 3 }, 5, layout);
    chunk.append(nothingDecoded(9));
    expect(chunk.close()).toMatchObject({ start: 5, end: 9, objects: [], objectBytes: 0 });
  });
});
