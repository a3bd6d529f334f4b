import { appendFile, copyFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SEARCH_MS } from '../../../../agent/tail/displaced.ts';
import { tempDir } from '../../../support/temp-dir.ts';
import { follower } from './follower.ts';

/** What an application, a rotating tool and an agent do in some order; the numbers are how many lines, or milliseconds. */
type Step =
  | { do: 'append'; lines: number; wide: boolean }
  | { do: 'half' }
  | { do: 'copy-part'; percent: number }
  | { do: 'copy' }
  | { do: 'truncate-after-copy' }
  | { do: 'rename' }
  | { do: 'scan' }
  | { do: 'poll' }
  | { do: 'read' }
  | { do: 'idle'; ms: number }
  | { do: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      lines: fc.integer({ min: 1, max: 12 }),
      wide: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('half' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('copy-part' as const), percent: fc.nat({ max: 100 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('copy' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('truncate-after-copy' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('scan' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('poll' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('idle' as const), ms: fc.integer({ min: 100, max: 8_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** Whoever copies and truncates is done after this time; a file that is equal to another one for longer is no copy. */
const COPYING_MS = 4_000;

async function run(steps: readonly Step[]) {
  const directory = await tempDir();
  const log = join(directory, 'app.log');
  const f = await follower(directory);
  const written: string[] = [];
  /** Lines that were in the file behind the end of its copy when it was emptied: a reader may have been too late for them. */
  const exposed = new Set<string>();
  let half = '';
  let text = '';
  let generation = 0;
  /** Path and length of the copy that is being made. */
  let copyingMs = 0;
  let copy: { path: string; bytes: number; whole: boolean; hidden: boolean } | undefined;

  const finish = async (): Promise<void> => {
    if (half === '') return;
    await appendFile(log, `${half.slice(half.length / 2)}\n`);
    half = '';
  };
  const shift = async (): Promise<void> => {
    await rm(join(directory, 'app.log.3'), { force: true });
    for (const n of [2, 1]) {
      await rename(join(directory, `app.log.${n}`), join(directory, `app.log.${n + 1}`)).catch(() => {});
    }
  };
  const line = (wide: boolean): string => {
    const text = `line ${written.length} of generation ${generation} ${'x'.repeat(wide ? 300 : 0)}`;
    written.push(text);
    return text;
  };
  const beginCopy = async (): Promise<string> => {
    if (copy === undefined) {
      await f.idle(0);
      await shift();
      text += await f.idle(20_000); // the oldest was read to its end before it was deleted
      copy = { path: join(directory, 'app.log.1'), bytes: 0, whole: false, hidden: false };
    }
    return copy.path;
  };

  const finishCopy = async (): Promise<void> => {
    if (copy?.whole === true) return;
    await finish();
    const isNew = copy === undefined;
    const path = await beginCopy();
    // Until the log is emptied, the copy may be where no glob finds it.
    copy!.hidden = isNew && written.length % 2 === 0;
    await copyFile(log, copy!.hidden ? join(directory, 'copy.tmp') : path);
    copy!.whole = true;
    copy!.bytes = (await readFile(log)).length;
  };
  const emptyLog = async (): Promise<void> => {
    if (copy?.whole !== true) return;
    const rest = (await readFile(log)).subarray(copy.bytes).toString();
    for (const late of rest.split('\n')) exposed.add(late);
    if (half !== '') exposed.add(half); // its two halves are in two files now
    half = '';
    await truncate(log);
    if (copy.hidden) await rename(join(directory, 'copy.tmp'), copy.path);
    copy = undefined;
    copyingMs = 0;
    generation += 1;
  };

  await writeFile(log, '');
  for (const next of steps) {
    switch (next.do) {
      case 'append':
        await finish();
        for (let i = 0; i < next.lines; i += 1) await appendFile(log, `${line(next.wide)}\n`);
        break;
      case 'half':
        await finish();
        half = line(false);
        await appendFile(log, half.slice(0, half.length / 2));
        break;
      case 'copy-part': {
        if (copy?.whole === true) break;
        const path = await beginCopy();
        const bytes = await readFile(log);
        copy!.bytes = Math.max(copy!.bytes, Math.floor((bytes.length * next.percent) / 100));
        await writeFile(path, bytes.subarray(0, copy!.bytes));
        break;
      }
      case 'copy':
        await finishCopy();
        break;
      case 'truncate-after-copy':
        await emptyLog();
        break;
      case 'rename':
        if (copy !== undefined) break;
        await finish();
        await shift();
        text += await f.idle(20_000);
        await rename(log, join(directory, 'app.log.1'));
        await writeFile(log, '');
        generation += 1;
        break;
      case 'scan':
        await f.scan();
        break;
      case 'poll':
        await f.poll();
        break;
      case 'read':
        text += await f.readOn();
        break;
      case 'idle': {
        const ms = copy === undefined ? next.ms : Math.min(next.ms, COPYING_MS - copyingMs);
        if (copy !== undefined) copyingMs += ms;
        if (ms > 0) text += await f.idle(ms);
        break;
      }
      case 'restart':
        await f.restart();
        await f.scan();
    }
  }
  if (copy !== undefined) await finishCopy();
  await emptyLog();
  await finish();
  text += await f.idle(SEARCH_MS + 130_000);
  const lines = text.split('\n').filter((one) => one !== '');
  const counts = new Map<string, number>();
  for (const one of lines) counts.set(one, (counts.get(one) ?? 0) + 1);
  return { written, exposed, counts, lost: f.lost, logged: f.logged };
}

test('whatever the order of writes, copies, truncations, renames, looks and restarts: every line once, and what is missing was behind the end of the copy', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { written, exposed, counts, lost } = await run(steps);
      const doubled = [...counts].filter(([, count]) => count > 1).map(([one]) => one);
      const missing = written.filter((one) => !counts.has(one) && !exposed.has(one));
      expect({ missing, doubled }).toEqual({ missing: [], doubled: [] });
      // What was emptied before any of it was read can be counted although its copy is carried, as a file of its own.
      const wasTooLate = [...exposed].some((late) => late !== '');
      expect(wasTooLate ? [] : lost).toEqual([]);
    }),
    {
      numRuns: Number(process.env['SKALD_RUNS'] ?? 100),
      ...(process.env['SKALD_SEED'] !== undefined && { seed: Number(process.env['SKALD_SEED']) }),
    },
  );
}, 120_000);
