import { describe } from 'vitest';
import { runFamily } from './seeds.ts';

/**
 * Not all is counted that was seen and never read: a process takes the number with it when it dies, and growth behind a
 * truncation counts only once a read or a second look has shown that it was of the old content.
 */
const FORGIVEN = { uncountedBytes: 0 };

describe('copytruncate, quiet and under load, and writers that leave holes: nothing is missing but what was truncated, and nothing is there twice', () => {
  runFamily('truncation', 400, FORGIVEN);
});
