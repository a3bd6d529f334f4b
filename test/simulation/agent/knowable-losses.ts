/**
 * How much of a truncated content the agent must count as lost, if nobody carried it: all that it can know. It knows up to
 * where a content had come
 *
 * - from a look (the size of the open file), once a read or a further look has found nothing but that content, or the file
 *   was shorter afterwards. Growth that only the last look showed, in a file that is at least as long again when it holds
 *   other content, may have been that of the new one;
 * - from the hole in front of a later content: its writer went on there.
 *
 * It cannot know what was written and truncated between two looks, nor tell a content of which it never read a byte from
 * one that has a copy. What a process knew dies with it, unless it noticed the truncation, or looked again after a while:
 * then it has written it down.
 */
import type { Content, FileNode } from '../support/sim-inode.ts';

export interface KnowableLosses {
  readonly truncating: (file: FileNode, content: Content) => void;
  readonly looked: (file: FileNode, content: Content, sizeBytes: number) => void;
  readonly read: (file: FileNode, content: Content) => void;
  readonly died: () => void;
  /** Bytes from the beginning of a truncated content of which the agent must know that they existed. */
  readonly bytes: (content: Content) => number;
}

/** What this process believes of a file. */
interface Belief {
  /** What the last read, or a shorter file, has shown it to hold. */
  content: Content;
  /** The size at the last look, and whether it was in truth that of this content. */
  sizeBytes: number;
  isRight: boolean;
  /** The size at the look before that one; 0 when it was of other content. */
  beforeBytes: number;
  /** Other content was read since the last look. */
  refuted: boolean;
}

interface Knowledge {
  sizeBytes: number;
  sinceMs: number;
  /** When the process looked again, long enough after it had learnt this to write it down. */
  writtenMs: number | undefined;
}

/** What waits for an intent for so long is written down at the next look. */
const WRITTEN_AFTER_MS = 2_000;

export function knowableLosses(options: { nowMs: () => number; settledMs: number }): KnowableLosses {
  const { nowMs, settledMs } = options;
  const beliefs = new Map<FileNode, Belief>();
  /** Of each content, by what it grew; that of earlier processes as far as it was written down. */
  const known = new Map<Content, Knowledge[]>();
  /** When a byte of a content was first read. */
  const begunMs = new Map<Content, number>();
  /** The contents that a file had before, oldest first. */
  const former = new Map<FileNode, Content[]>();
  /** Truncated contents by when this process noticed it. */
  const noticedMs = new Map<Content, number>();

  const bytes = (content: Content): number =>
    begunMs.has(content) ? Math.max(0, ...(known.get(content) ?? []).map(({ sizeBytes }) => sizeBytes)) : 0;
  const learn = (content: Content, sizeBytes: number): void => {
    if (sizeBytes <= Math.max(0, ...(known.get(content) ?? []).map((one) => one.sizeBytes))) return;
    const knowledge = { sizeBytes, sinceMs: nowMs(), writtenMs: undefined };
    known.set(content, [...(known.get(content) ?? []), knowledge]);
  };
  const writeDown = (content: Content): void => {
    for (const one of known.get(content) ?? []) {
      if (nowMs() - one.sinceMs >= WRITTEN_AFTER_MS) one.writtenMs ??= nowMs();
    }
  };
  const notice = (file: FileNode): void => {
    for (const content of former.get(file) ?? [])
      if (!noticedMs.has(content)) noticedMs.set(content, nowMs());
  };

  return {
    truncating: (file, content) => {
      former.set(file, [...(former.get(file) ?? []), content]);
    },
    looked: (file, content, sizeBytes) => {
      const last = beliefs.get(file);
      const isShorter = last !== undefined && sizeBytes < last.sizeBytes;
      if (last !== undefined && isShorter && last.isRight) learn(last.content, last.sizeBytes);
      if (last !== undefined && !last.refuted) learn(last.content, last.beforeBytes);
      if (last === undefined || isShorter || last.refuted) {
        notice(file);
        beliefs.set(file, { content, sizeBytes, isRight: true, beforeBytes: 0, refuted: false });
        return;
      }
      const isRight = last.content === content;
      if (isRight) writeDown(content);
      const beforeBytes = last.isRight && isRight ? last.sizeBytes : last.beforeBytes;
      beliefs.set(file, { content: last.content, sizeBytes, isRight, beforeBytes, refuted: false });
    },
    read: (file, content) => {
      if (!begunMs.has(content)) begunMs.set(content, nowMs());
      const last = beliefs.get(file);
      if (last?.content === content && last.isRight) learn(content, last.sizeBytes);
      else if (last !== undefined && last.content !== content) last.refuted = true;
      if (content.holeBytes === 0) return;
      // Where its writer went on, the one before had ended, and so on back to one that the agent knew.
      const before = former.get(file) ?? [];
      const first = before.findIndex((one) => begunMs.has(one));
      if (first === -1) return;
      for (const one of before.slice(first)) {
        if (!begunMs.has(one)) begunMs.set(one, nowMs());
        learn(one, one.size);
        if (!noticedMs.has(one)) noticedMs.set(one, nowMs());
      }
    },
    died: () => {
      const isSettled = (sinceMs: number | undefined): boolean =>
        sinceMs !== undefined && sinceMs <= nowMs() - settledMs;
      for (const [content, knowledge] of known) {
        if (isSettled(noticedMs.get(content))) continue;
        const left = knowledge.filter(({ writtenMs }) => isSettled(writtenMs));
        known.set(content, left);
        noticedMs.delete(content);
      }
      for (const [content, sinceMs] of begunMs) if (!isSettled(sinceMs)) begunMs.delete(content);
      beliefs.clear();
    },
    bytes,
  };
}
