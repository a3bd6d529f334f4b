import type { LocalStack } from '../scripts/stack/stack.ts';

export interface BenchOptions {
  /** Size of the generated input. */
  bytes: number;
  /** Of each contender. */
  runs: number;
  seed: number;
  stack: LocalStack;
  /** For the input; removed afterwards. */
  directory: string;
  say: (line: string) => void;
}

export interface Bench {
  needsS3: boolean;
  /** Writes its report into bench/results. @throws Error when a contender lost or doubled a record */
  run(options: BenchOptions): Promise<{ markdown: string; isMet: boolean }>;
}
