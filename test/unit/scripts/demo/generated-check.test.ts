import { describe, expect, test } from 'vitest';
import type { WrittenFile } from '../../../../scripts/demo/generate.ts';
import { createGeneratedCheck } from '../../../../scripts/demo/generated-check.ts';
import type { Verdict } from '../../../../scripts/demo/line-check.ts';
import { createLineChecksum, digestOf } from '../../../../scripts/demo/line-checksum.ts';
import { createLineMaker } from '../../../../scripts/demo/log-line.ts';

const SHOP = 'host-a/shop.log';
const API = 'host-b/api.log';
const LINES = 100;

const linesOf = (file: string): string[] => {
  const makeLine = createLineMaker(file, file === SHOP ? 1 : 2, 0);
  return Array.from({ length: LINES }, makeLine);
};

function writtenFile(name: string): WrittenFile {
  const checksum = createLineChecksum();
  const lines = linesOf(name);
  for (const line of lines) checksum.add(digestOf(Buffer.from(line)));
  return { name, lines: lines.length, bytes: lines.join('\n').length + 1, checksum: checksum.hex() };
}

/** The verdict when `change` has happened to the lines on their way. */
async function verdictAfter(change: (shop: string[], api: string[]) => void): Promise<Verdict> {
  const shop = linesOf(SHOP);
  const api = linesOf(API);
  change(shop, api);
  const check = createGeneratedCheck([SHOP, API].map(writtenFile));
  for (const line of [...api, ...shop]) check.take(Buffer.from(line));
  return check.finish();
}

describe('the check of generated lines', () => {
  test('every line once, in whatever order, is exactly once', async () => {
    const verdict = await verdictAfter((shop) => shop.reverse());

    expect(verdict.exactlyOnce).toBe(true);
    expect(verdict.files).toMatchObject([
      { name: SHOP, expected: LINES, found: LINES, missing: 0, doubled: 0, examples: [], remarks: [] },
      { name: API, expected: LINES, found: LINES, missing: 0, doubled: 0, examples: [], remarks: [] },
    ]);
  });

  test.each([1, 7, 8, LINES])('line %i is lost', async (line) => {
    const verdict = await verdictAfter((shop) => shop.splice(line - 1, 1));

    expect(verdict.exactlyOnce).toBe(false);
    expect(verdict.files[0]).toMatchObject({ missing: 1, doubled: 0, examples: [`line ${line} is missing`] });
    expect(verdict.files[1]).toMatchObject({ missing: 0, doubled: 0 });
  });

  test('a line is doubled', async () => {
    const verdict = await verdictAfter((_, api) => api.push(api[41]!));

    expect(verdict.exactlyOnce).toBe(false);
    expect(verdict.files[1]).toMatchObject({
      found: LINES + 1,
      missing: 0,
      doubled: 1,
      examples: ['line 42 came again'],
    });
  });

  test('one line is lost and another doubled, so that the count is right', async () => {
    const verdict = await verdictAfter((shop) => {
      shop[10] = shop[20]!;
    });

    expect(verdict.exactlyOnce).toBe(false);
    expect(verdict.files[0]).toMatchObject({
      found: LINES,
      missing: 1,
      doubled: 1,
      examples: ['line 11 is missing', 'line 21 came again'],
    });
  });

  test('one bit of a line is altered', async () => {
    const verdict = await verdictAfter((shop) => {
      shop[3] = shop[3]!
        .replace('GET', 'GEU')
        .replace('POST', 'POSU')
        .replace('PUT', 'PUU')
        .replace('HEAD', 'HEAE');
    });

    expect(verdict.exactlyOnce).toBe(false);
    expect(verdict.files[0]).toMatchObject({ missing: 0, doubled: 0 });
    expect(verdict.files[0]!.foundChecksum).not.toBe(verdict.files[0]!.expectedChecksum);
    expect(verdict.files[0]!.remarks).toHaveLength(1);
    expect(verdict.files[1]!.foundChecksum).toBe(verdict.files[1]!.expectedChecksum);
  });

  test('the marks of two files are swapped', async () => {
    const verdict = await verdictAfter((shop, api) => {
      [shop[5], api[5]] = [shop[5]!.replace(SHOP, API), api[5]!.replace(API, SHOP)];
    });

    expect(verdict.exactlyOnce).toBe(false);
    for (const file of verdict.files) expect(file.foundChecksum).not.toBe(file.expectedChecksum);
  });

  test.each([
    ['nothing that the generator wrote', 'hello'],
    ['a line of a file that is not there', `x line=host-c/other.log:1`],
    ['a line behind the end of a file', `x line=${SHOP}:${LINES + 1}`],
    ['a line number that is none', `x line=${SHOP}:1e1`],
    ['line 0', `x line=${SHOP}:0`],
    ['an empty line', ''],
  ])('%s', async (_, line) => {
    const verdict = await verdictAfter((shop) => shop.push(line));

    expect(verdict).toMatchObject({ exactlyOnce: false, foreign: 1, foreignExamples: [line] });
    expect(verdict.files[0]).toMatchObject({ missing: 0, doubled: 0 });
  });

  test('nothing arrived', async () => {
    const verdict = await verdictAfter((shop, api) => {
      shop.length = 0;
      api.length = 0;
    });

    expect(verdict.exactlyOnce).toBe(false);
    expect(verdict.files[0]).toMatchObject({ found: 0, missing: LINES });
    expect(verdict.files[0]!.examples).toHaveLength(5);
  });
});
