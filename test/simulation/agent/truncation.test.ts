import { describe } from 'vitest';
import { runFamily } from './seeds.ts';

/** What was seen and then truncated is not all counted: growth counts once a read or a second look has confirmed it. */
const FORGIVEN = { uncountedBytes: 0 };

describe('copytruncate, quiet and under load, and writers that leave holes: nothing is missing but what was truncated, and nothing is there twice', () => {
  runFamily('truncation', 400, FORGIVEN);
});
