import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { generate } from '../../../../scripts/demo/generate.ts';
import type { GeneratorPlan } from '../../../../scripts/demo/generate.ts';
import { tempDir } from '../../../support/temp-dir.ts';

const FILES = [
  { name: 'host-a/shop.log', lines: 1234 },
  { name: 'host-b/api.log', lines: 501 },
  { name: 'host-b/idle.log', lines: 0 },
];

async function generateInto(overrides: Partial<GeneratorPlan> = {}) {
  const directory = await tempDir();
  for (const host of ['host-a', 'host-b']) mkdirSync(join(directory, host));
  const startMs = Date.UTC(2026, 10, 22, 16, 2, 35);
  const plan = { files: FILES, directory, linesPerRotation: 300, seed: 7, startMs, ...overrides };
  const progress: { lines: number; bytes: number }[] = [];
  const written = await generate(plan, (now) => progress.push(now));
  return { directory, written, progress };
}

/** The generations of a file, the oldest first. */
function generationsOf(directory: string, name: string): string[] {
  const [host = '', file = ''] = name.split('/');
  return readdirSync(join(directory, host))
    .filter((entry) => entry === file || entry.startsWith(`${file}.`))
    .sort((a, b) => generationOf(b) - generationOf(a))
    .map((entry) => readFileSync(join(directory, host, entry), 'latin1'));
}

function generationOf(entry: string): number {
  return Number(/\.(\d+)$/.exec(entry)?.[1] ?? 0);
}

describe('the generator of log lines', () => {
  test('writes every line once, in order, over all generations of a file', async () => {
    const { directory, written } = await generateInto();

    for (const { name, lines } of FILES) {
      const text = generationsOf(directory, name).join('');
      const marks = text
        .split('\n')
        .slice(0, -1)
        .map((line) => / line=(\S+)$/.exec(line)?.[1]);
      expect(marks).toEqual(Array.from({ length: lines }, (_, index) => `${name}:${index + 1}`));
      expect(written.find((file) => file.name === name)).toMatchObject({ lines, bytes: text.length });
    }
  });

  test('rotates after the planned number of lines and deletes nothing', async () => {
    const { directory } = await generateInto();

    const linesOf = (name: string): number[] =>
      generationsOf(directory, name).map((text) => text.split('\n').length - 1);

    expect(linesOf('host-a/shop.log')).toEqual([300, 300, 300, 300, 34]);
    expect(linesOf('host-b/api.log')).toEqual([300, 201]);
    expect(linesOf('host-b/idle.log')).toEqual([0]);
  });

  test("gives checksums that agree with the files' bytes", async () => {
    const { directory, written } = await generateInto();

    for (const { name, checksum } of written) {
      let sum = 0n;
      for (const line of generationsOf(directory, name).join('').split('\n').slice(0, -1)) {
        sum += BigInt(`0x${createHash('sha256').update(line, 'latin1').digest('hex').slice(0, 32)}`);
      }
      expect(checksum).toBe((sum % 2n ** 128n).toString(16).padStart(32, '0'));
    }
  });

  test('writes the same again with the same seed and start, and something else with another seed', async () => {
    const first = await generateInto();
    const again = await generateInto();
    const other = await generateInto({ seed: 8 });

    const text = ({ directory }: { directory: string }): string =>
      FILES.flatMap(({ name }) => generationsOf(directory, name)).join('');

    expect(text(again)).toBe(text(first));
    expect(again.written).toEqual(first.written);
    expect(text(other)).not.toBe(text(first));
  });

  test('writes lines of the combined log format', async () => {
    const { directory } = await generateInto();
    // httpd.apache.org/docs/2.4/logs.html#combined, with two fields behind it.
    const combined =
      /^\d+\.\d+\.\d+\.\d+ - - \[22\/Nov\/2026:16:0\d:\d\d \+0000\] "[A-Z]+ \/\S+ HTTP\/1\.1" \d{3} \d+ "[^"]+" "[^"]+" \d+ line=\S+$/;

    for (const line of generationsOf(directory, 'host-b/api.log').join('').split('\n').slice(0, -1))
      expect(line).toMatch(combined);
  });

  test('keeps to a rate and says at the end how much there is', async () => {
    const startedAt = performance.now();
    const { written, progress } = await generateInto({ linesPerSecond: 10_000 });

    // 1,735 lines: only the last burst, of at most 500, may come before its time.
    expect(performance.now() - startedAt).toBeGreaterThan(100);
    expect(progress.at(-1)).toEqual({
      lines: 1735,
      bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
    });
  });
});
