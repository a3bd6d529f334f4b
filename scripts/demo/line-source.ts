import type { Written } from './generate.ts';
import type { LineCheck } from './line-check.ts';

/** How far an agent is with a file, as its status server says. */
export interface ReadFile {
  path: string;
  readBytes: number;
}

/** Where the demo's lines come from: the generator, or files of the user's own. */
export interface LineSource {
  /** For people, before anything is started. */
  readonly summary: readonly string[];
  /** Bytes on the disk of the temporary directory that the run may take in all. */
  readonly diskBytes: number;
  /** Globs for the agent of each rack. */
  readonly include: readonly (readonly string[])[];
  /** The agents are ready. Returns the time since which lines come, by the clock of `performance.now()`. */
  start(agentsStartedAt: number): number;
  /** Lines and bytes so far. */
  readonly written: Written;
  /** Undefined until it is known. */
  readonly total: Written | undefined;
  /** Whether agents that are this far, with so many records in Kafka, have carried all there is. */
  isCarried(state: { records: number; lagBytes: number; files: readonly ReadFile[] }): boolean;
  /** Call it when the agents have stopped. */
  openCheck(): Promise<LineCheck>;
  /** Ends what it started. */
  close(): Promise<void>;
}
