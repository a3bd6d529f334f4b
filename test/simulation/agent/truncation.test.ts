import { describe } from 'vitest';
import { runFamily } from './seeds.ts';

/**
 * What a request does that arrives late is not judged: the bytes of its batch may be gone by then, and what was left of
 * it was sent as another batch.
 */
const FORGIVEN = { doubled: [], disordered: [], uncountedBytes: 0 };

describe('copytruncate, quiet and under load, and writers that leave holes: nothing is missing but what was truncated', () => {
  runFamily('truncation', 300, FORGIVEN);
});
