/** Records that are not plain lines, through a whole pipeline on a simulated disk, network and clock. */
import { describe, expect, test } from 'vitest';
import type { FramingConfig } from '../../../shared/config/framing-config.ts';
import { type Framing, LINES, type MultilineFraming } from '../../../shared/framing/framing.ts';
import { memoryJournal } from './memory-journal.ts';
import { smallWorld, type SmallWorldOptions } from './small-world.ts';

const LONG_ENOUGH_MS = 10_000;
const LOST = 'skald_agent_lost_bytes_total';
const OVERSIZED = 'skald_agent_oversized_records_total';
const READ_BYTES = 'skald_agent_read_bytes_total';
const REPLACED = 'skald_agent_replaced_code_units_total';

const RECORD_TIMEOUT_MS = 2_000;
const STACK_TRACES: MultilineFraming = { ...LINES, type: 'multiline', matches: 'start', pattern: '^\\d{4}-' };
const FRAMES: Framing = {
  type: 'length-prefixed',
  prefixSize: 4,
  byteOrder: 'big-endian',
  maxFrameBytes: 100_000,
};

async function running(
  format: Framing,
  framing: Partial<FramingConfig> = {},
  options: SmallWorldOptions = {},
) {
  const recordTimeoutMs = format.type === 'multiline' ? RECORD_TIMEOUT_MS : undefined;
  const w = smallWorld({ ...options, framing: { format, recordTimeoutMs, ...framing } });
  const pipeline = await w.start(w.journal);
  await w.clock.advance(1_000);
  return { w, pipeline };
}

/** A record with its length in front, four bytes big endian. */
function frame(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

describe('records of several lines', () => {
  const TRACE = '2026-01-01 error\n  at a\n  at b';
  const NEXT = '2026-01-02 fine';

  test('a record is complete when the next one begins, and the last one when the file has been quiet', async () => {
    const { w } = await running(STACK_TRACES);
    w.disk.append('/logs/app.log', `${TRACE}\n${NEXT}\n`);
    await w.clock.advance(RECORD_TIMEOUT_MS - 500);
    expect(w.lines()).toEqual([TRACE]);
    await w.clock.advance(1_500);
    expect(w.lines()).toEqual([TRACE, NEXT]);
  });

  test('written in pieces, with pauses within the time-out: one record', async () => {
    const { w } = await running(STACK_TRACES);
    for (const piece of ['2026-01', '-01 er', 'ror\n', '  at a', '\n  at', ' b\n']) {
      w.disk.append('/logs/app.log', piece);
      await w.clock.advance(RECORD_TIMEOUT_MS - 500);
      expect(w.lines()).toEqual([]);
    }
    await w.clock.advance(RECORD_TIMEOUT_MS);
    expect(w.lines()).toEqual([TRACE]);
  });

  test('the time-out never splits a line: one that is not finished waits, and goes on as a record of its own', async () => {
    const { w } = await running(STACK_TRACES);
    w.disk.append('/logs/app.log', '2026-01-01 error\n  at a\n  at');
    await w.clock.advance(10 * RECORD_TIMEOUT_MS);
    expect(w.lines()).toEqual(['2026-01-01 error\n  at a']);
    w.disk.append('/logs/app.log', ' b\n');
    await w.clock.advance(10 * RECORD_TIMEOUT_MS);
    expect(w.lines()).toEqual(['  at b', '2026-01-01 error\n  at a']);
  });

  test('lines before the first record are one too', async () => {
    const { w } = await running(STACK_TRACES);
    w.disk.append('/logs/app.log', `  at the end of something\n  at last\n${NEXT}\n`);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['  at the end of something\n  at last', NEXT]);
  });

  test('a restart in the middle of a record: it is whole when its lines come within the time-out', async () => {
    const { w, pipeline } = await running(STACK_TRACES);
    w.disk.append('/logs/app.log', '2026-01-01 error\n  at a\n');
    await w.clock.advance(500);
    await w.stop(pipeline, 100);
    w.disk.append('/logs/app.log', '  at b\n');
    await w.start(w.journal);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual([TRACE]);
  });

  test('killed while batches were on their way, and the framing is another one since: they are the same batches', async () => {
    const options: SmallWorldOptions = {
      framing: { format: STACK_TRACES, recordTimeoutMs: RECORD_TIMEOUT_MS },
      kafka: { batchBytes: 1_024 },
    };
    const w = smallWorld(options);
    const pipeline = await w.start(w.journal);
    const records = Array.from(
      { length: 60 },
      (_, i) => `${1_000 + i}- error\n  at ${'x'.repeat(i)}\n  at b`,
    );
    w.disk.append('/logs/app.log', `${records[0]}\n${records[1]}\n`);
    await w.clock.advance(1_000);
    expect(w.lines()).toEqual(records.slice(0, 1));
    w.network(false);
    w.disk.append('/logs/app.log', `${records.slice(2).join('\n')}\n`);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(pipeline.status()).toMatchObject({ openIntents: 5 }); // all that may be on its way
    const ends = [...w.journal.content.toString().matchAll(/"end":(\d+)/g)].map(([, end]) => Number(end));
    const atDeath = memoryJournal(w.journal.content);
    await w.stop(pipeline, 0);
    w.network(true);
    options.framing = { format: LINES };
    await w.start(atDeath);
    await w.clock.advance(LONG_ENOUGH_MS);
    const until = Math.max(...ends);
    const text = `${records.join('\n')}\n`;
    const asRecords = records.filter((_, i) => `${records.slice(0, i + 1).join('\n')}\n`.length <= until);
    const asLines = text.slice(until).split('\n').slice(0, -1);
    expect(w.lines()).toEqual([...asRecords, ...asLines].toSorted());
  });

  test('a record does not span two files: the last one of a rotated file ends with it', async () => {
    const { w } = await running(STACK_TRACES, {}, { include: '/logs/*.log' });
    w.disk.append('/logs/app.log', '2026-01-01 error\n  at a\n  at b');
    await w.clock.advance(1_000);
    w.disk.rename('/logs/app.log', '/logs/app.log.1');
    w.disk.append('/logs/app.log', '  at c\n');
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['  at c', TRACE]);
  });

  test('renamed within the globs: the file goes on, and so does the record', async () => {
    const { w } = await running(STACK_TRACES);
    w.disk.append('/logs/app.log', '2026-01-01 error\n  at a\n');
    await w.clock.advance(1_000);
    w.disk.rename('/logs/app.log', '/logs/app.log.1');
    w.disk.append('/logs/app.log.1', '  at b\n');
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual([TRACE]);
  });

  test.each(['truncate', 'split', 'drop'] as const)(
    'longer than the largest record, with %s: cut by the policy, counted once, and what follows is whole',
    async (oversize) => {
      const { w } = await running(STACK_TRACES, { oversize, maxRecordBytes: 600 });
      const long = `2026-01-01 long\n${'  at somewhere\n'.repeat(1_000)}`.trimEnd();
      w.disk.append('/logs/app.log', `${NEXT}\n${long}\n${NEXT}\n`);
      await w.clock.advance(LONG_ENOUGH_MS);
      const pieces = Array.from({ length: Math.ceil(long.length / 600) }, (_, i) =>
        long.slice(600 * i, 600 * i + 600),
      );
      const expected = { truncate: pieces.slice(0, 1), split: pieces, drop: [] }[oversize];
      expect(w.lines()).toEqual([NEXT, NEXT, ...expected].toSorted());
      expect(await w.count(OVERSIZED, { policy: oversize })).toBe(1);
      expect(await w.count(READ_BYTES)).toBe(long.length + 2 * NEXT.length + 3);
    },
  );

  test('passed over up to its end, which the quiet file tells: what comes then is a record', async () => {
    const { w } = await running(STACK_TRACES, { oversize: 'truncate', maxRecordBytes: 600 });
    w.disk.append('/logs/app.log', `2026-01-01 long\n${'  at somewhere\n'.repeat(1_000)}`);
    await w.clock.advance(LONG_ENOUGH_MS);
    w.disk.append('/logs/app.log', '  at the next morning\n');
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines().filter((line) => !line.startsWith('2026'))).toEqual(['  at the next morning']);
  });
});

describe('records with their length in front', () => {
  test('come without it, each byte as it is, also when they are split anywhere', async () => {
    const { w } = await running(FRAMES);
    const values = ['first', '', 'with\nnewlines\n', '\0\0\0\x05'];
    for (const byte of Buffer.concat(values.map(frame))) {
      w.disk.append('/logs/app.bin', Buffer.from([byte]));
      await w.clock.advance(300);
    }
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(values.toSorted());
  });

  test.each(['truncate', 'split', 'drop'] as const)(
    'longer than the largest record, and killed while it is carried, with %s: nothing missing, nothing double',
    async (oversize) => {
      const { w, pipeline } = await running(FRAMES, { oversize, maxRecordBytes: 600 });
      w.disk.append('/logs/app.bin', frame('first'));
      await w.clock.advance(1_000);
      w.network(false);
      const long = Array.from({ length: 2_000 }, (_, i) => String(10_000 + i)).join('');
      w.disk.append('/logs/app.bin', Buffer.concat([frame('before'), frame(long), frame('after')]));
      await w.clock.advance(2_000);
      expect(pipeline.status().openIntents).toBeGreaterThan(0);
      const atDeath = memoryJournal(w.journal.content);
      await w.stop(pipeline, 0);
      w.network(true);
      await w.start(atDeath);
      await w.clock.advance(LONG_ENOUGH_MS);
      const pieces = Array.from({ length: Math.ceil(long.length / 600) }, (_, i) =>
        long.slice(600 * i, 600 * i + 600),
      );
      const expected = { truncate: pieces.slice(0, 1), split: pieces, drop: [] }[oversize];
      expect(w.lines()).toEqual(['first', 'before', 'after', ...expected].toSorted());
    },
  );

  test.each([
    ['negative', 'ffffffff'],
    ['above the largest frame', '000186a1'],
  ])(
    'a length that is %s: said once with its place, all behind it counted as lost, other files go on',
    async (_, hex) => {
      const { w } = await running(FRAMES);
      const good = Buffer.concat([frame('one'), frame('two')]);
      const bad = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(5_000, 0x78)]);
      w.disk.append('/logs/app.bin', Buffer.concat([good, bad]));
      await w.clock.advance(LONG_ENOUGH_MS);
      w.disk.append('/logs/app.bin', frame('behind it'));
      w.disk.append('/logs/other.bin', frame('another file'));
      await w.clock.advance(LONG_ENOUGH_MS);
      expect(w.lines()).toEqual(['another file', 'one', 'two']);
      expect(await w.count(LOST, { reason: 'bad-length' })).toBe(bad.length + frame('behind it').length);
      const errors = w.logged.filter(({ level }) => level === 'error');
      expect(errors).toHaveLength(1);
      expect(errors[0]!.fields).toMatchObject({ path: '/logs/app.bin', from: good.length });
      expect(errors[0]!.message).toMatch(
        /a record at byte 14 has a length of \d+ bytes, and framing.maxFrameBytes is 100000/,
      );
    },
  );

  test('behind a bad length also after a restart; a new file is read anew', async () => {
    const { w, pipeline } = await running(FRAMES, {}, { include: '/logs/*.bin' });
    w.disk.append('/logs/app.bin', Buffer.from('ffffffff', 'hex'));
    await w.clock.advance(LONG_ENOUGH_MS);
    await w.stop(pipeline, 100);
    w.disk.append('/logs/app.bin', frame('behind it'));
    await w.start(w.journal);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual([]);
    expect(await w.count(LOST, { reason: 'bad-length' })).toBe(4 + frame('behind it').length);
    w.disk.rename('/logs/app.bin', '/logs/app.bin.1');
    w.disk.append('/logs/app.bin', frame('anew'));
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['anew']);
  });

  test('a file that left the globs and ends inside a record: that is counted as lost and said', async () => {
    const { w } = await running(FRAMES, {}, { include: '/logs/*.bin' });
    const cut = frame('never finished').subarray(0, 9);
    w.disk.append('/logs/app.bin', Buffer.concat([frame('whole'), cut]));
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(await w.count(LOST)).toBe(0); // the writer may be slow
    w.disk.rename('/logs/app.bin', '/logs/app.bin.1');
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['whole']);
    expect(await w.count(LOST, { reason: 'incomplete-record' })).toBe(cut.length);
    expect(w.logged.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      expect.stringContaining('ends inside the record at byte 9'),
    ]);
  });
});

describe('UTF-16', () => {
  test('each file by its byte order mark, in one batch, and after a crash', async () => {
    const { w, pipeline } = await running({ ...LINES, encoding: 'utf-16', stripCarriageReturn: true });
    w.disk.append('/logs/first.log', Buffer.from('first\n', 'utf16le'));
    await w.clock.advance(1_000);
    w.network(false);
    const little = Buffer.from('\ufeffkleine Größe\r\nzweite\r\n', 'utf16le');
    const big = Buffer.from('\ufeffgroße Größe\r\nandere\r\n', 'utf16le').swap16();
    w.disk.append('/logs/little.log', little);
    w.disk.append('/logs/big.log', big);
    await w.clock.advance(1_000);
    expect(pipeline.status().openIntents).toBeGreaterThan(0);
    const atDeath = memoryJournal(w.journal.content);
    await w.stop(pipeline, 0);
    w.network(true);
    await w.start(atDeath);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['first', 'kleine Größe', 'zweite', 'große Größe', 'andere'].toSorted());
  });

  test('halves of surrogate pairs become U+FFFD, are counted, and said', async () => {
    const { w } = await running({ ...LINES, encoding: 'utf-16le' });
    w.disk.append('/logs/app.log', Buffer.from('a\ud83d\ude00b\n\ud83d alone \ude00\n', 'utf16le'));
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(await w.count(REPLACED)).toBe(2);
    expect(w.logged.filter(({ level }) => level === 'warn')).toMatchObject([
      { fields: { replacedUnits: 2 } },
    ]);
  });
});
