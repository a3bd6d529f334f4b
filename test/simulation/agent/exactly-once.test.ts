import { describe } from 'vitest';
import { runFamily } from './seeds.ts';

describe('rotation of all kinds, crashes, power cuts with fsync always, stopped processes, failing brokers: every line once, in order', () => {
  runFamily('exactly-once', 1_000);
});
