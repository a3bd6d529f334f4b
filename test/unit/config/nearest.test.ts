import { expect, test } from 'vitest';
import { nearest } from '../../../shared/config/nearest.ts';

const KEYS = ['memoryBytes', 'encodeThreads', 'maxOpenFiles', 'tls', 'sasl', 'lingerMs'];

test.each([
  ['memorBytes', 'memoryBytes', 'a letter is missing'],
  ['memorryBytes', 'memoryBytes', 'a letter is there twice'],
  ['memroyBytes', 'memoryBytes', 'two letters are swapped'],
  ['memory_bytes', 'memoryBytes', 'it is written in another style'],
  ['LINGERMS', 'lingerMs', 'the case is another'],
  ['ssal', 'sasl', 'a short name has two letters swapped'],
])('%s means %s: %s', (written, meant) => {
  expect(nearest(written, KEYS)).toBe(meant);
});

test.each(['topic', 'x', '', 'memory'])('%j is like none of them', (written) => {
  expect(nearest(written, KEYS)).toBeUndefined();
});

test('the nearest of several wins', () => {
  expect(nearest('rackFil', ['rack', 'rackFile'])).toBe('rackFile');
});

test('without candidates there is nothing to suggest', () => {
  expect(nearest('tls', [])).toBeUndefined();
});
