/** Files by how they begin, so that one of ten thousand with the same first bytes is found without comparing them all. */
import type { Fingerprint } from '../checkpoint/state.ts';
import { fingerprintFrom, LEAD_BYTES } from '../discover/fingerprint.ts';
import type { LogFile } from './log-file.ts';

export interface SimilarFiles {
  /** The file's first bytes are known now, or better than before. */
  note(file: LogFile): void;
  forget(file: LogFile): void;
  /** Files that may begin as `head` does, by what is known without reading them. */
  beginningAs(head: Buffer): Iterable<LogFile>;
}

/** By one thing that is known of files, and then by another. */
interface Index<A, B> {
  readonly groups: ReadonlyMap<A, ReadonlyMap<B, ReadonlySet<LogFile>>>;
  add(a: A, b: B, file: LogFile): void;
  remove(a: A, b: B, file: LogFile): void;
}

function index<A, B>(): Index<A, B> {
  const groups = new Map<A, Map<B, Set<LogFile>>>();
  return {
    groups,
    add: (a, b, file) => {
      const within = groups.get(a) ?? new Map<B, Set<LogFile>>();
      groups.set(a, within);
      const files = within.get(b) ?? new Set<LogFile>();
      within.set(b, files.add(file));
    },
    remove: (a, b, file) => {
      const within = groups.get(a);
      const files = within?.get(b);
      if (within === undefined || files === undefined) return;
      files.delete(file);
      if (files.size === 0) within.delete(b);
      if (within.size === 0) groups.delete(a);
    },
  };
}

/** The checksum of the first 16 bytes; -1 where fewer were seen yet. */
function leadOf({ leads }: Fingerprint): number {
  return leads?.[0] ?? -1;
}

export function similarFiles(): SimilarFiles {
  const noted = new Map<LogFile, Fingerprint>();
  /** By how much is known of them, and its hash. */
  const byHash = index<number, string>();
  /** By their lead, and how much is known of them. */
  const byLead = index<number, number>();

  const forget = (file: LogFile): void => {
    const was = noted.get(file);
    if (was === undefined) return;
    noted.delete(file);
    byHash.remove(was.bytes, was.hash, file);
    byLead.remove(leadOf(was), was.bytes, file);
  };

  /** Those of which no more is known than `head` has bytes: the hash decides. */
  function* known(head: Buffer): Generator<LogFile> {
    for (const [bytes, hashes] of byHash.groups) {
      if (bytes > head.length) continue;
      yield* hashes.get(fingerprintFrom(head.subarray(0, bytes)).hash) ?? [];
    }
  }

  /** Those of which more is known: what they have in common with `head` is compared as far as there are checksums of it. */
  function* longer(head: Buffer): Generator<LogFile> {
    const { leads = [] } = fingerprintFrom(head);
    const lead = byLead.groups.get(leads[0] ?? -1);
    const groups = head.length < LEAD_BYTES[0] ? byLead.groups.values() : lead === undefined ? [] : [lead];
    for (const group of groups) {
      for (const [bytes, files] of group) {
        if (bytes <= head.length) continue;
        for (const file of files) {
          if (leads.every((sum, i) => file.state.fingerprint.leads?.[i] === sum)) yield file;
        }
      }
    }
  }

  return {
    note: (file) => {
      forget(file);
      const { fingerprint } = file.state;
      noted.set(file, fingerprint);
      byHash.add(fingerprint.bytes, fingerprint.hash, file);
      byLead.add(leadOf(fingerprint), fingerprint.bytes, file);
    },
    forget,
    *beginningAs(head) {
      yield* known(head);
      yield* longer(head);
    },
  };
}
