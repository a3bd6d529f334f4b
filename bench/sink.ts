import type { S3Access } from '../scripts/stack/s3proxy.ts';

/** What is measured: a program that carries one topic to objects in S3. A file in sinks/ says how to run each. */
export interface SinkJob {
  topic: string;
  /** Consumer group of its own. */
  group: string;
  bootstrap: readonly string[];
  s3: S3Access;
  /** First part of the names of its objects. */
  prefix: string;
  /** An empty directory for configuration and state; removed afterwards. */
  directory: string;
}

export interface Sink {
  name: string;
  /** Absent when it is always there; answers whether it was installed. */
  isInstalled?: () => boolean;
  /** Writes what the program needs and returns the command. It has to end by itself or at SIGTERM, with all records stored. */
  prepare(job: SinkJob): Promise<SinkCommand>;
}

export interface SinkCommand {
  command: string;
  args: string[];
  /** How many records it has taken up: with all of them it gets SIGTERM. Absent when it ends by itself. */
  takenRecords?: () => Promise<number>;
  /** How it ends at SIGTERM; 0 when it is not given. */
  exitCode?: number;
  /** Where it puts its files, when it does not store them in S3. */
  folder?: string;
}
