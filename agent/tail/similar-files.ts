/** Files by how they begin, so that one of ten thousand with the same first bytes is found without comparing them all. */
import type { Fingerprint } from '../checkpoint/entries.ts';
import { fingerprintFrom, LEAD_BYTES } from '../discover/fingerprint.ts';
import type { LogFile } from './log-file.ts';

export interface SimilarFiles {
  /** The file's first bytes are known now, or better than before. */
  note(file: LogFile): void;
  forget(file: LogFile): void;
  /** Files that may begin as `head` does, by what is known without reading them. */
  beginningAs(head: Buffer): Iterable<LogFile>;
}

/** Files by something that most of them have for themselves: a set of one would cost more than the file. */
interface Groups<K> {
  add(key: K, file: LogFile): void;
  remove(key: K, file: LogFile): void;
  of(key: K): Iterable<LogFile>;
  all(): Iterable<LogFile>;
}

function groups<K>(): Groups<K> {
  const byKey = new Map<K, LogFile | Set<LogFile>>();
  const filesOf = (group: LogFile | Set<LogFile> | undefined): Iterable<LogFile> => {
    if (group === undefined) return [];
    return group instanceof Set ? group : [group];
  };
  return {
    add: (key, file) => {
      const group = byKey.get(key);
      if (group === undefined) byKey.set(key, file);
      else if (group instanceof Set) group.add(file);
      else byKey.set(key, new Set([group, file]));
    },
    remove: (key, file) => {
      const group = byKey.get(key);
      if (group instanceof Set) group.delete(file);
      if (group === file || (group instanceof Set && group.size === 0)) byKey.delete(key);
    },
    of: (key) => filesOf(byKey.get(key)),
    *all() {
      for (const group of byKey.values()) yield* filesOf(group);
    },
  };
}

/** The checksum of the first 16 bytes; -1 where fewer were seen yet. */
function leadOf({ leads }: Fingerprint): number {
  return leads?.[0] ?? -1;
}

export function similarFiles(): SimilarFiles {
  const noted = new Map<LogFile, Fingerprint>();
  /** How many there are of which so many bytes are known. */
  const lengths = new Map<number, number>();
  const byHash = groups<string>();
  const byLead = groups<number>();

  const count = (bytes: number, change: 1 | -1): void => {
    const files = (lengths.get(bytes) ?? 0) + change;
    if (files === 0) lengths.delete(bytes);
    else lengths.set(bytes, files);
  };

  const forget = (file: LogFile): void => {
    const was = noted.get(file);
    if (was === undefined) return;
    noted.delete(file);
    count(was.bytes, -1);
    byHash.remove(was.hash, file);
    byLead.remove(leadOf(was), file);
  };

  /** Those of which no more is known than `head` has bytes: the hash decides. */
  function* known(head: Buffer): Generator<LogFile> {
    for (const bytes of lengths.keys()) {
      if (bytes <= head.length) yield* byHash.of(fingerprintFrom(head.subarray(0, bytes)).hash);
    }
  }

  /** Those of which more is known: what they have in common with `head` is compared as far as there are checksums of it. */
  function* longer(head: Buffer): Generator<LogFile> {
    const { leads = [] } = fingerprintFrom(head);
    const candidates = head.length < LEAD_BYTES[0] ? byLead.all() : byLead.of(leads[0]!);
    for (const file of candidates) {
      const { fingerprint } = file.state;
      if (fingerprint.bytes <= head.length) continue;
      if (leads.every((sum, i) => fingerprint.leads?.[i] === sum)) yield file;
    }
  }

  return {
    note: (file) => {
      forget(file);
      const { fingerprint } = file.state;
      noted.set(file, fingerprint);
      count(fingerprint.bytes, 1);
      byHash.add(fingerprint.hash, file);
      byLead.add(leadOf(fingerprint), file);
    },
    forget,
    *beginningAs(head) {
      yield* known(head);
      yield* longer(head);
    },
  };
}
