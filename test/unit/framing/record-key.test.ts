import { describe, expect, test } from 'vitest';
import { keyFinder, type KeySource, partitionOf } from '../../../shared/framing/record-key.ts';

function keyOf(source: KeySource, text: string): string | null {
  const bytes = Buffer.from(`before ${text} behind`);
  const start = 'before '.length;
  const key = keyFinder(source)(bytes, start, start + Buffer.byteLength(text));
  return key === null ? null : Buffer.from(key).toString();
}

describe('a pattern', () => {
  test.each([
    ['^\\S+ (\\S+)', 'GET /home 200', '/home'],
    ['user=(\\w+)', 'no name here', null],
    ['\\d+', 'order 4711 paid', '4711'],
    ['id=(\\d*)', 'id=', null], // an empty key is none
    ['name=(\\S+)', 'name=Jürgen x', 'Jürgen'],
    ['(behind)', 'this line ends before that word', null],
  ])('%s in "%s" finds %s', (pattern, text, key) => {
    expect(keyOf({ pattern }, text)).toBe(key);
  });

  test('a key that begins beyond the first 16 KiB is not looked for', () => {
    expect(keyOf({ pattern: 'k=(.)' }, `${'x'.repeat(16 * 1024)}k=1`)).toBeNull();
    expect(keyOf({ pattern: 'k=(.)' }, `${'x'.repeat(16 * 1024 - 3)}k=1`)).toBe('1');
  });
});

describe('a field', () => {
  test.each([
    ['user', '{"user":"ann"}', 'ann'],
    ['user.id', '{"user":{"id":17}}', '17'],
    ['ok', '{"ok":false}', 'false'],
    ['user.id', '{"user":"ann"}', null],
    ['user', '{"user":null}', null],
    ['user', '{"user":{"id":1}}', null],
    ['user', '{"user":""}', null],
    ['length', '["no object with names"]', null],
    ['toString', '{}', null],
    ['__proto__', '{}', null],
    ['user', 'not JSON', null],
    ['user', '', null],
  ])('%s of %s is %s', (field, text, key) => {
    expect(keyOf({ field }, text)).toBe(key);
  });
});

test('records without a key go to the partition that was named for them', () => {
  expect(partitionOf(null, { source: { field: 'x' }, partitions: 8, keyless: 5 })).toBe(5);
});

test('a pattern that takes a backtracking engine for ever is matched at once', () => {
  const startedMs = performance.now();
  expect(keyOf({ pattern: '^(a+)+$' }, `${'a'.repeat(5_000)}b`)).toBeNull();
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
