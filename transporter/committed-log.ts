import { backoffMs, type Clock, type Random } from '../shared/clock.ts';
import type { CommittedOffset } from '../shared/kafka/requests/offsets.ts';
import type { Logger } from '../shared/telemetry/logger.ts';
import { decodeProgress } from './complete/progress.ts';
import type { LogEnd } from './fetch/log-offsets.ts';
import { SETTLE_MS, type TopicsSeen } from './topics-seen.ts';

/** What to carry: which log, and from where. */
export interface LogToCarry {
  /** Undefined where brokers have no ids. */
  topicId: string | undefined;
  /** See Progress: the topic's id, and more when the log was cut off. */
  log: string | undefined;
  /** What the group has committed of this very log. */
  committed: CommittedOffset;
  /** Where to begin when that is nothing. */
  startFrom: LogEnd;
}

export interface CommittedLogOptions {
  topicsSeen: Pick<TopicsSeen, 'find' | 'isNew'>;
  startFrom: LogEnd;
  clock: Clock;
  random: Random;
  logger: Logger;
}

const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/**
 * Whether the committed offset is of the log that the topic's name stands for now. Kafka forgets the offsets of a
 * topic that is deleted, but a coordinator that moves just then may not; read on at an old offset, the beginning of
 * the new log would be skipped. Waits until the topic is there.
 * @throws the signal's reason
 */
export async function committedLog(
  found: CommittedOffset,
  options: CommittedLogOptions,
  signal: AbortSignal,
): Promise<LogToCarry> {
  const { topic, partition } = found;
  const { clock, logger } = options;
  const { log: committedTo } = decodeProgress(found.metadata);
  let log = await topicId(topic, options, signal);
  const isAnother = (): boolean =>
    found.offset >= 0 && committedTo !== undefined && log !== undefined && topicIdOf(committedTo) !== log;
  if (isAnother()) {
    await clock.sleep(2 * SETTLE_MS, signal); // the broker that told us the id may be behind
    signal.throwIfAborted();
    log = await topicId(topic, options, signal);
  }
  if (!isAnother()) {
    const startFrom = options.topicsSeen.isNew(found) ? 'earliest' : options.startFrom;
    return { topicId: log, log: committedTo ?? log, committed: found, startFrom };
  }
  logger.warn(
    { topic, partition, committedOffset: found.offset },
    'the topic was deleted and made anew: its committed offset is of the log before, and the new one is carried from its beginning',
  );
  return { topicId: log, log, committed: { ...found, offset: -1, metadata: '' }, startFrom: 'earliest' };
}

async function topicId(
  topic: string,
  { topicsSeen, clock, random }: CommittedLogOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let looks = 0; ; looks += 1) {
    signal.throwIfAborted();
    const found = topicsSeen.find(topic);
    if (found !== undefined) return found.topicId;
    await clock.sleep(backoffMs(looks, BACKOFF, random), signal);
  }
}

/** The name of what a log is when the leader of this epoch has lost records: other ones get their offsets. */
export function cutOffLog(topicId: string | undefined, leaderEpoch: number): string {
  return `${topicId ?? ''}.e${leaderEpoch}`;
}

function topicIdOf(log: string): string {
  return log.split('.')[0]!;
}
