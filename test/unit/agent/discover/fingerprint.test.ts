import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fingerprintOf, fits } from '../../../../agent/discover/fingerprint.ts';
import { memoryFile } from '../memory-file.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the first bytes of a file', () => {
  test('are hashed up to the asked number, or to the end of a shorter file', async () => {
    expect(await fingerprintOf(memoryFile('abcdef'), 3)).toEqual({
      bytes: 3,
      hash: sha256('abc').slice(0, 16),
    });
    expect(await fingerprintOf(memoryFile('ab'), 3)).toEqual({ bytes: 2, hash: sha256('ab').slice(0, 16) });
  });

  test('fit the same file when it has grown, by short reads too', async () => {
    const known = await fingerprintOf(memoryFile('abc'), 1024);
    const grown = memoryFile('abcdef');
    grown.readsAtMost = 1;
    expect(await fits(grown, known)).toBe(true);
  });

  test('do not fit a file that begins with another byte, or has become shorter', async () => {
    const known = await fingerprintOf(memoryFile('abc'), 1024);
    expect(await fits(memoryFile('abd'), known)).toBe(false);
    expect(await fits(memoryFile('ab'), known)).toBe(false);
    expect(await fits(memoryFile(''), known)).toBe(false);
  });

  test('of an empty file fit every file: there was nothing to know it by', async () => {
    const known = await fingerprintOf(memoryFile(''), 1024);
    expect(await fits(memoryFile('anything'), known)).toBe(true);
  });
});
