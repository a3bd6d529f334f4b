import { describe, expect, test } from 'vitest';
import { processLife } from '../../simulation/support/process-life.ts';
import { memoryJournal } from './memory-journal.ts';
import { smallWorld } from './small-world.ts';

const LONG_ENOUGH_MS = 10_000;
const OVERSIZED = 'skald_agent_oversized_records_total';
const READ_BYTES = 'skald_agent_read_bytes_total';
const ACKNOWLEDGED_BYTES = 'skald_agent_acknowledged_bytes_total';

describe('brokers that cannot be reached', () => {
  test('at the start: files that are rotated out of the globs meanwhile are not missed', async () => {
    const w = smallWorld({ include: '/logs/*.log' });
    w.network(false);
    await w.start(w.journal);
    for (const generation of [1, 2, 3]) {
      w.disk.append('/logs/app.log', `line of generation ${generation}\n`);
      await w.clock.advance(1_000); // several scans
      w.disk.rename('/logs/app.log', `/logs/app.log.${generation}`);
    }
    w.network(true);
    await w.clock.advance(60_000);
    expect(w.lines()).toEqual([1, 2, 3].map((generation) => `line of generation ${generation}`));
  });

  test('at the start, and the agent is killed: files that it saw are known to the next one', async () => {
    const w = smallWorld({ include: '/logs/*.log' });
    w.network(false);
    const pipeline = await w.start(w.journal);
    w.disk.append('/logs/app.log', 'a line\n');
    await w.clock.advance(1_000); // several scans
    const atDeath = memoryJournal(w.journal.content);
    await w.stop(pipeline, 0);
    w.disk.rename('/logs/app.log', '/logs/app.log.1');
    w.network(true);
    await w.start(atDeath);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['a line']);
  });

  test('in the middle: nor are they while the agent waits with all that it may hold', async () => {
    const w = smallWorld({ include: '/logs/*.log' });
    await w.start(w.journal);
    await w.clock.advance(1_000);
    w.network(false);
    const expected: string[] = [];
    for (let generation = 100; generation < 130; generation += 1) {
      const lines = Array.from({ length: 40 }, (_, i) => `${generation} ${100 + i} ${'x'.repeat(50)}`);
      expected.push(...lines);
      w.disk.append('/logs/app.log', `${lines.join('\n')}\n`);
      await w.clock.advance(1_000);
      w.disk.rename('/logs/app.log', `/logs/app.log.${generation}`);
    }
    w.network(true);
    await w.clock.advance(120_000);
    const found = w.lines();
    expect([found.length, expected.filter((line) => !found.includes(line)).length]).toEqual([
      expected.length,
      0,
    ]);
  });

  test('for hours: what is held stays within the budget, and all of it comes when they are back', async () => {
    const w = smallWorld({ budgetBytes: 16_384 });
    const pipeline = await w.start(w.journal);
    await w.clock.advance(1_000);
    w.network(false);
    const lines = Array.from({ length: 5_000 }, (_, i) => `line ${10_000 + i}`);
    w.disk.append('/logs/app.log', `${lines.join('\n')}\n`);
    for (let minute = 0; minute < 120; minute += 10) {
      await w.clock.advance(600_000);
      expect(w.budget.usedBytes).toBeLessThanOrEqual(16_384);
    }
    expect(pipeline.status().lagBytes).toBeGreaterThan(0);
    w.network(true);
    await w.clock.advance(120_000);
    expect(w.lines().join() === lines.join()).toBe(true);
    expect(pipeline.status()).toMatchObject({ lagBytes: 0, openIntents: 0 });
    expect(w.budget.usedBytes).toBe(0);
  });
});

describe('stopping', () => {
  test('all that was read is acknowledged before the end, and the next start sends nothing again', async () => {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    w.disk.append('/logs/app.log', 'one\ntwo\nthree\n');
    await w.clock.advance(300);
    await w.stop(pipeline, 5_000);
    expect(w.lines()).toEqual(['one', 'three', 'two']);
    await w.start(w.journal);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toHaveLength(3);
  });

  test('twice is fine, and at once', async () => {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    await Promise.all([w.stop(pipeline, 0), w.stop(pipeline, 0)]);
    await expect(pipeline.done).resolves.toBeUndefined();
  });

  test.each(['truncate', 'drop', 'split'] as const)(
    'out of patience in the middle of a long line, with %s: the next start delivers what is missing, once',
    async (oversize) => {
      const w = smallWorld({ framing: { oversize, maxRecordBytes: 600 } });
      const pipeline = await w.start(w.journal);
      await w.clock.advance(1_000);
      w.network(false);
      w.disk.append('/logs/app.log', `before\n${'z'.repeat(20_000)}\nafter\n`);
      await w.clock.advance(2_000);
      await w.stop(pipeline, 100);
      w.network(true);
      await w.start(w.journal);
      await w.clock.advance(60_000);
      const pieces = { truncate: ['z'.repeat(600)], drop: [], split: undefined }[oversize];
      const lines = w.lines();
      expect(lines.filter((line) => !line.startsWith('z'))).toEqual(['after', 'before']);
      const long = lines.filter((line) => line.startsWith('z'));
      expect(pieces === undefined ? long.join('').length : long).toEqual(pieces ?? 20_000);
    },
  );

  test('while no broker answers any more: as soon as patience ends', async () => {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    await w.clock.advance(1_000);
    w.hang();
    w.disk.append('/logs/app.log', 'one\n');
    await w.clock.advance(10_000);
    const patience = new AbortController();
    let closed = false;
    void pipeline.close(patience.signal).then(() => {
      closed = true;
    });
    await w.clock.advance(10_000);
    expect(closed).toBe(false);
    patience.abort();
    await w.clock.advance(500);
    expect(closed).toBe(true);
  });
});

describe('lines that are too long are counted once, whether the reader or the encoder cuts them', () => {
  // 600 bytes is the limit, 1,024 bytes a batch: the first fits into a chunk, the second does not.
  const TEXT = `short\n${'a'.repeat(700)}\nshort\n${'b'.repeat(5_000)}\nshort\n`;

  test.each(['truncate', 'drop', 'split'] as const)('%s', async (oversize) => {
    const w = smallWorld({ framing: { oversize, maxRecordBytes: 600 } });
    w.disk.append('/logs/app.log', TEXT);
    await w.start(w.journal);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(await w.count(OVERSIZED, { policy: oversize })).toBe(2);
    expect(await w.count(READ_BYTES)).toBe(TEXT.length);
    const longLines = w.lines().filter((line) => line !== 'short');
    const expected = {
      truncate: ['a'.repeat(600), 'b'.repeat(600)],
      drop: [],
      split: [
        'a'.repeat(100),
        'a'.repeat(600),
        'b'.repeat(200),
        ...Array.from({ length: 8 }, () => 'b'.repeat(600)),
      ],
    }[oversize];
    expect(longLines).toEqual(expected);
  });
});

describe('batches that the broker refuses as too large', () => {
  const LINES = ['a', 'b', 'c'].map((letter) => letter.repeat(2_000));

  test.each([
    ['whole lines: all of them come, from the batch itself', 3_500, 0],
    ['a line that was cut: it is counted as lost, and the lines of the others come', 6_000, 6_001],
  ])('one of its files was emptied meanwhile, %s', async (_, emptiedBytes, lostBytes) => {
    const w = smallWorld({ framing: { maxRecordBytes: 4_000 }, kafka: { batchBytes: 100_000 } });
    const pipeline = await w.start(w.journal);
    const [a, b, c] = ['a'.repeat(3_500), 'b'.repeat(emptiedBytes), 'c'.repeat(3_500)];
    for (const name of ['a', 'b', 'c']) w.disk.append(`/logs/${name}.log`, `${name}\n`);
    await w.clock.advance(LONG_ENOUGH_MS);
    w.network(false);
    w.disk.append('/logs/a.log', `${a}\n`);
    w.disk.append('/logs/b.log', `${b}\n`);
    w.disk.append('/logs/c.log', `${c}\n`);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(pipeline.status().openIntents).toBe(1);
    w.disk.truncate('/logs/b.log');
    w.refuseAbove(8_000);
    w.network(true);
    await w.clock.advance(60_000);
    expect(w.lines()).toEqual(['a', a, 'b', ...(lostBytes === 0 ? [b] : []), 'c', c]);
    expect(await w.count('skald_agent_lost_bytes_total')).toBe(lostBytes);
    expect(pipeline.status()).toMatchObject({ lagBytes: 0, openIntents: 0 });
    expect(w.budget.usedBytes).toBe(0);
  });

  test.each(['split', 'truncate', 'drop'] as const)(
    '%s: cut smaller by the policy, counted, and all memory is given back',
    async (oversize) => {
      const w = smallWorld({
        framing: { oversize, maxRecordBytes: 3_000 },
        kafka: { batchBytes: 100_000 },
      });
      const pipeline = await w.start(w.journal);
      w.disk.append('/logs/app.log', 'short\n');
      await w.clock.advance(1_000);
      w.refuseAbove(1_500);
      w.disk.append('/logs/app.log', `${LINES.join('\n')}\nshort\n`);
      await w.clock.advance(60_000);
      expect(w.lines().filter((line) => line === 'short')).toHaveLength(2);
      const long = w.lines().filter((line) => line !== 'short');
      const kept = { split: 2_000, truncate: long[0]?.length, drop: 0 }[oversize];
      expect(long.join('')).toBe(LINES.map((line) => line.slice(0, kept)).join(''));
      expect(long.length > 0).toBe(oversize !== 'drop');
      expect(await w.count(OVERSIZED, { policy: oversize })).toBe(3);
      expect(pipeline.status()).toMatchObject({ lagBytes: 0, openIntents: 0 });
      expect(w.budget.usedBytes).toBe(0);
    },
  );
});

describe('memory', () => {
  test('a line longer than its chunk counts with all of its bytes', async () => {
    const w = smallWorld({ framing: { maxRecordBytes: 100_000 }, kafka: { batchBytes: 1_024 } });
    await w.start(w.journal);
    await w.clock.advance(1_000);
    w.network(false);
    for (let file = 0; file < 4; file += 1)
      w.disk.append(`/logs/${file}.log`, `${file}${'y'.repeat(50_000)}\n`);
    await w.clock.advance(5_000);
    // Two batches are encoded and two lines wait: each holds its fifty thousand bytes somewhere.
    expect(w.budget.usedBytes).toBeGreaterThan(2 * 50_000);
    w.network(true);
    await w.clock.advance(60_000);
    expect(w.lines()).toHaveLength(4);
    expect(w.budget.usedBytes).toBe(0);
  });
});

describe('after a restart', () => {
  test('one of the files of an open batch is gone: the lines of the others come all the same', async () => {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    w.disk.append('/logs/a.log', 'a0\n');
    await w.clock.advance(LONG_ENOUGH_MS);
    w.network(false);
    w.disk.append('/logs/a.log', 'a1\n');
    w.disk.append('/logs/b.log', 'b1\n');
    w.disk.append('/logs/c.log', 'c1\n');
    await w.clock.advance(1_000);
    const atDeath = memoryJournal(w.journal.content);
    await w.stop(pipeline, 0);
    w.disk.remove('/logs/b.log');
    w.network(true);
    await w.start(atDeath);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['a0', 'a1', 'c1']);
    expect(await w.count('skald_agent_lost_bytes_total', { reason: 'source-gone' })).toBe('b1\n'.length);
    expect(await w.count('skald_agent_possible_duplicate_records_total')).toBe(0);
  });

  /** A journal with one batch open, whose request or answer got lost. */
  async function diedWithOneOpen(lost: 'lostRequests' | 'lostAnswers' = 'lostAnswers') {
    const w = smallWorld();
    const pipeline = await w.start(w.journal);
    w.disk.append('/logs/a.log', 'a0\n');
    await w.clock.advance(1_000);
    w.broker.faults[lost] = 1; // after a lost answer the broker has it, and nobody knows
    w.disk.append('/logs/a.log', 'a1\n');
    await w.clock.advance(500);
    const journal = memoryJournal(w.journal.content);
    expect(w.lines()).toEqual(lost === 'lostAnswers' ? ['a0', 'a1'] : ['a0']);
    expect(pipeline.status().openIntents).toBe(1);
    await w.stop(pipeline, 0);
    w.broker.faults[lost] = 0;
    return { w, journal };
  }

  test('an open batch goes again and is recognised: the line is there once', async () => {
    const { w, journal } = await diedWithOneOpen();
    w.disk.append('/logs/b.log', 'b1\n');
    await w.start(journal);
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['a0', 'a1', 'b1']);
    expect(await w.count(ACKNOWLEDGED_BYTES)).toBe(9);
  });

  test('its file cannot be read for some seconds: the batch waits for it, and comes first', async () => {
    const { w, journal } = await diedWithOneOpen('lostRequests');
    w.disk.append('/logs/a.log', 'a2\n');
    const fs = w.disk.fileSystem(processLife());
    let failing = true;
    const pipeline = await w.start(journal, {
      ...fs,
      open: (path) =>
        failing ? Promise.reject(Object.assign(new Error('ENFILE'), { code: 'ENFILE' })) : fs.open(path),
    });
    await w.clock.advance(5_000);
    failing = false;
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['a0', 'a1', 'a2']);
    expect(pipeline.status().openIntents).toBe(0);
    expect(w.logged.filter((line) => line.level === 'error' && 'intent' in line.fields)).toEqual([]);
  });

  test('its file cannot be read for longer: said at ERROR, the other files flow, and the batch stays open', async () => {
    const { w, journal } = await diedWithOneOpen('lostRequests');
    w.disk.append('/logs/b.log', 'b1\n');
    const fs = w.disk.fileSystem(processLife());
    const pipeline = await w.start(journal, {
      ...fs,
      open: (path) =>
        path === '/logs/a.log'
          ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))
          : fs.open(path),
    });
    await w.clock.advance(3 * LONG_ENOUGH_MS);
    expect(w.lines()).toEqual(['a0', 'b1']);
    expect(pipeline.status().openIntents).toBe(1);
    expect(w.logged.some((line) => line.level === 'error' && 'intent' in line.fields)).toBe(true);
    await w.stop(pipeline, 0);
    await w.start(memoryJournal(journal.content));
    await w.clock.advance(LONG_ENOUGH_MS);
    expect(w.lines().sort()).toEqual(['a0', 'a1', 'b1']);
  });
});
