import type { Environment } from '../shared/config/interpolate.ts';

/** What a command sees of the world; a test gives its own. */
export interface Terminal {
  readonly env: Environment;
  /** Writes a line to standard output: what was asked for. */
  readonly print: (line: string) => void;
  /** Writes a line to standard error: what went wrong. */
  readonly complain: (line: string) => void;
}

export const processTerminal: Terminal = {
  env: process.env,
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
};
