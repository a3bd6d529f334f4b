import { describe } from 'vitest';
import { runFamily } from './seeds.ts';

describe('copytruncate, quiet and under load, and writers that leave holes: nothing is missing but what was truncated, nothing is there twice, and all is counted as lost that can be known of', () => {
  runFamily('truncation', 400);
});
