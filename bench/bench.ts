import type { LocalStack, StackOptions } from '../scripts/stack/stack.ts';
import type { Input } from './input.ts';
import type { WrittenReport } from './report.ts';

export interface BenchOptions {
  /** Generates the input or takes the file that was given. It is removed afterwards if it was generated. */
  makeInput: (defaultMb: number) => Promise<Input>;
  /** Of each program. */
  runs: number | undefined;
  seed: number;
  /** Bytes that are written in a second, where the rate is held. */
  rate: number;
  /** How many files are written, where that is not measured. */
  files: number;
  seconds: number;
  /** Names of the other programs to run; all without it. */
  only: readonly string[] | undefined;
  /** Ended by whoever called the bench. */
  startStack: (options: Pick<StackOptions, 's3'>) => Promise<LocalStack>;
  /** For temporary files; removed afterwards. */
  directory: string;
  /** Where the report goes. */
  out: string;
  say: (line: string) => void;
  /** What goes on just now; the next one takes its place. */
  show: (line: string) => void;
}

/** Writes its report. @throws Error when a program lost, doubled or changed a record */
export type Bench = (options: BenchOptions) => Promise<WrittenReport>;
