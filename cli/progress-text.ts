/** How far the topics of a group are, as lines for a terminal or as JSON. What holds a topic back comes first. */
import type { PartitionStanding, TopicStanding } from '../transporter/complete/topic-standing.ts';
import { duration, table } from './status-text.ts';

/** Partitions of a topic that are shown without `--all`. */
const SHOWN = 10;

export function progressLines(
  { topic, throughMs, lagRecords, partitions }: TopicStanding,
  { nowMs, all }: { nowMs: number; all: boolean },
): string[] {
  const slowest = partitions.toSorted(
    (a, b) => (a.throughMs ?? -1) - (b.throughMs ?? -1) || (b.lagRecords ?? 0) - (a.lagRecords ?? 0),
  );
  const shown = all ? slowest : slowest.slice(0, SHOWN);
  const more = slowest.length - shown.length;
  const head =
    throughMs === undefined ? 'not known yet' : `${isoSeconds(throughMs)}, ${behind(throughMs, nowMs)} ago`;
  return [
    `topic ${topic}: complete through ${head}; ${lagRecords} records behind`,
    ...table([
      ['partition', 'complete through', 'ago', 'committed', 'of', 'records behind'],
      ...shown.map((partition) => rowOf(partition, nowMs)),
    ]),
    ...(more > 0 ? [`  and ${more} more partitions, which are no further behind; --all shows them`] : []),
  ];
}

function rowOf(standing: PartitionStanding, nowMs: number): string[] {
  const { partition, throughMs, committedOffset, endOffset, lagRecords } = standing;
  return [
    String(partition),
    throughMs === undefined ? 'not known yet' : isoSeconds(throughMs),
    throughMs === undefined ? '-' : behind(throughMs, nowMs),
    committedOffset === undefined ? 'nothing yet' : String(committedOffset),
    endOffset === undefined ? 'no leader' : String(endOffset),
    lagRecords === undefined ? '-' : String(lagRecords),
  ];
}

/** For other programs: times are ISO 8601, and null is what is not known. */
export function progressJson(group: string, topics: readonly TopicStanding[]): string {
  const timeOf = (ms: number | undefined): string | null =>
    ms === undefined ? null : new Date(ms).toISOString();
  const shown = topics.map(({ topic, throughMs, lagRecords, partitions }) => ({
    topic,
    completeThrough: timeOf(throughMs),
    lagRecords,
    partitions: partitions.map((standing) => ({
      partition: standing.partition,
      completeThrough: timeOf(standing.throughMs),
      committedOffset: standing.committedOffset ?? null,
      endOffset: standing.endOffset ?? null,
      lagRecords: standing.lagRecords ?? null,
    })),
  }));
  return JSON.stringify({ group, topics: shown }, null, 2);
}

function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function behind(throughMs: number, nowMs: number): string {
  return duration(Math.max(0, nowMs - throughMs) / 1000);
}
