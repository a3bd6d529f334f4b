/**
 * What is measured: a program that carries one file to one topic. A file in peers/ says how to run it, and the list in
 * file-to-kafka.ts names it. All else is the same for all: it is done when the topic holds every line, is ended by SIGTERM if
 * it has not ended by itself, and is killed when it does not end.
 */
export const PEER_CODECS = ['lz4', 'zstd'] as const;

export type PeerCodec = (typeof PEER_CODECS)[number];

/** Told to every program that takes one. lz4 has no levels in any of them: its fast mode. */
export const ZSTD_LEVEL = 1;

export interface PeerJob {
  file: string;
  topic: string;
  bootstrap: readonly string[];
  codec: PeerCodec;
  /** An empty directory for configuration and state; removed afterwards. */
  directory: string;
}

export interface PeerCommand {
  command: string;
  args: string[];
}

export interface Peer {
  name: string;
  codecs: readonly PeerCodec[];
  /** What is installed, as it names itself; undefined when it is not there, and then it is not run. */
  version(): Promise<string | undefined>;
  /** Writes what the program needs and returns the command, which must stay in the foreground. */
  prepare(job: PeerJob): Promise<PeerCommand>;
}
