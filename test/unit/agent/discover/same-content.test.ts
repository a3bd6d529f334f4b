import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../../../agent/discover/fingerprint.ts';
import { markBehind } from '../../../../agent/discover/mark.ts';
import { holding } from '../../../../agent/discover/same-content.ts';
import { memoryFile } from '../memory-file.ts';

const LINES = Array.from({ length: 200 }, (_, i) => `line ${i} of the original\n`).join('');
const READ = 3_000;

/** What the journal knows of a file that begins with `LINES` and was read up to READ, in two steps. */
async function known() {
  const bytes = Buffer.from(LINES);
  const marks = [1_500, READ].map((at) => markBehind(bytes, at, at)!);
  return {
    state: { fingerprint: await fingerprintOf(memoryFile(LINES), 1024), marks },
    offset: READ,
    mark: marks[1],
  };
}
const judge = async (content: string) => holding(memoryFile(content), content.length, await known());

describe('a file that holds what was read of another one', () => {
  test('to the end, and more', async () => {
    expect(await judge(LINES)).toBe('whole');
    expect(await judge(LINES.slice(0, READ))).toBe('whole');
  });

  test('only the first part of it, compared at a place behind its middle', async () => {
    expect(await judge(LINES.slice(0, READ - 1))).toBe('part'); // up to 1,500
    expect(await judge(LINES.slice(0, 1_600))).toBe('part');
    expect(await judge(LINES.slice(0, 700))).toBe('part'); // up to 512
  });

  test('nothing of it that was compared: fewer bytes than anything is known of', async () => {
    expect(await judge(LINES.slice(0, 15))).toBe('none');
    expect(await judge('')).toBe('none');
  });
});

describe('a file that begins in the same way', () => {
  test('and differs in front of a place up to which the other one was read', async () => {
    const other = (at: number): string => `${LINES.slice(0, at)}#${LINES.slice(at + 1)}`;
    expect(await judge(other(1_200))).toBe('none');
    expect(await judge(other(2_500))).toBe('none');
    expect(await judge(other(1_200).slice(0, 2_000))).toBe('none');
  });

  test('or in its first bytes', async () => {
    expect(await judge(`#${LINES.slice(1)}`)).toBe('none');
    expect(await judge(`#${LINES.slice(1, 300)}`)).toBe('none');
  });
});

test('a file of which nothing was seen is held by nobody', async () => {
  const fingerprint = await fingerprintOf(memoryFile(''), 1024);
  const nothing = { state: { fingerprint }, offset: 0, mark: undefined };
  expect(await holding(memoryFile(LINES), LINES.length, nothing)).toBe('none');
});
