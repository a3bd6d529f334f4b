/** What is measured: a program that carries one file to one topic. A file in contenders/ says how to run each. */
export interface Job {
  file: string;
  topic: string;
  bootstrap: readonly string[];
  /** An empty directory for configuration and state; removed afterwards. */
  directory: string;
}

export interface Contender {
  name: string;
  /** Writes what the program needs and returns the command. It need not end by itself: it is ended when the topic is full. */
  prepare(job: Job): Promise<{ command: string; args: string[] }>;
}
