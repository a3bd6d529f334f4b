import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SkaldError } from '../../../../shared/errors.ts';
import type { GroupMember } from '../../../../shared/kafka/coordinator.ts';
import { KafkaCode } from '../../../../shared/kafka/error-codes.ts';
import type { OffsetToCommit } from '../../../../shared/kafka/requests/offsets.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { createRegistry } from '../../../../shared/telemetry/metrics.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { createTransporterMetrics } from '../../../../shared/telemetry/transporter-metrics.ts';
import { createCommitQueue } from '../../../../transporter/chunk/commit-queue.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

let stop = new AbortController();
const member = (generationId: number): GroupMember => ({
  groupId: 'g',
  memberId: 'm',
  groupInstanceId: undefined,
  generationId,
});
const at = (partition: number, offset: number, metadata = ''): OffsetToCommit => ({
  topic: 't',
  partition,
  offset,
  metadata,
});

/** A coordinator that answers each commit as the script says, and keeps what it accepted. */
function stage(script: ((offsets: readonly OffsetToCommit[]) => number[] | SkaldError)[]) {
  const clock = simClock(0);
  const requests: { generationId: number; offsets: readonly OffsetToCommit[] }[] = [];
  const committed = new Map<number, OffsetToCommit>();
  let reads = 0;
  const queue = createCommitQueue({
    kafka: {
      commitOffsets: (sender, offsets) => {
        requests.push({ generationId: sender.generationId, offsets });
        const codes = script.shift()?.(offsets) ?? offsets.map(() => 0);
        if (codes instanceof SkaldError) return Promise.reject(codes);
        offsets.forEach((offset, i) => codes[i] === 0 && committed.set(offset.partition, offset));
        return Promise.resolve(
          offsets.map(({ topic, partition }, i) => ({ topic, partition, errorCode: codes[i]! })),
        );
      },
      fetchOffsets: (partitions) => {
        reads += 1;
        return Promise.resolve(
          partitions.map(({ topic, partition }) => {
            const { offset = -1, metadata = '' } = committed.get(partition) ?? {};
            return { topic, partition, offset, metadata, errorCode: 0 };
          }),
        );
      },
    },
    clock,
    random: () => 0.5,
    metrics: createTransporterMetrics(createRegistry()),
    problems: repeatedLog({ logger: silentLogger, clock, intervalMs: 1000 }),
    signal: stop.signal,
  });
  const done: string[] = [];
  const commit = (offset: OffsetToCommit, signal = new AbortController().signal): Promise<void> =>
    queue.commit(offset, signal).then(
      () => void done.push(`${offset.partition}@${offset.offset}`),
      (error: unknown) => void done.push(error instanceof SkaldError ? error.code : String(error)),
    );
  return { clock, requests, committed, queue, commit, done, reads: () => reads };
}

const lost = () => new SkaldError('KAFKA_DISCONNECTED', 'lost');

beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

describe('createCommitQueue', () => {
  it('sends what many partitions want in one request', async () => {
    const { clock, queue, commit, requests, done } = stage([]);
    for (let partition = 0; partition < 100; partition += 1) void commit(at(partition, 5));
    queue.resume(member(1));
    await clock.advance(10);
    expect(requests.map(({ offsets }) => offsets.length)).toEqual([100]);
    expect(done).toHaveLength(100);
  });

  it('sends nothing before there is a generation to send it under', async () => {
    const { clock, queue, commit, requests, done } = stage([]);
    void commit(at(0, 5));
    await clock.advance(60_000);
    expect(requests).toEqual([]);
    queue.resume(member(1));
    queue.pause();
    await clock.advance(60_000);
    expect(requests).toEqual([]);
    queue.resume(member(2));
    await clock.advance(10);
    expect(requests.map(({ generationId }) => generationId)).toEqual([2]);
    expect(done).toEqual(['0@5']);
  });

  it.each([
    KafkaCode.ILLEGAL_GENERATION,
    KafkaCode.UNKNOWN_MEMBER_ID,
    KafkaCode.REBALANCE_IN_PROGRESS,
    KafkaCode.FENCED_INSTANCE_ID,
  ])(
    'waits for the next generation after error %i, and neither believes nor repeats the commit',
    async (code) => {
      const { clock, queue, commit, requests, done } = stage([() => [code]]);
      void commit(at(0, 5));
      queue.resume(member(1));
      await clock.advance(60_000);
      expect([requests.length, done]).toEqual([1, []]);
      queue.resume(member(2));
      await clock.advance(10);
      expect(done).toEqual(['0@5']);
    },
  );

  it('reads back after a lost answer, and does not send again what had arrived', async () => {
    const arrived = stage([
      (offsets) => {
        for (const offset of offsets) arrived.committed.set(offset.partition, offset);
        return lost();
      },
    ]);
    void arrived.commit(at(0, 5, 'an intent'));
    arrived.queue.resume(member(1));
    await arrived.clock.advance(60_000);
    expect([arrived.requests.length, arrived.reads(), arrived.done]).toEqual([1, 1, ['0@5']]);
  });

  it('sends again what had not arrived, also when only the metadata differs', async () => {
    const { clock, queue, commit, committed, requests, reads, done } = stage([lost]);
    committed.set(0, at(0, 5, 'an older intent'));
    void commit(at(0, 5, 'an intent'));
    queue.resume(member(1));
    await clock.advance(60_000);
    expect([requests.length, reads(), done]).toEqual([2, 1, ['0@5']]);
    expect(committed.get(0)?.metadata).toBe('an intent');
  });

  it('tries again what the broker refuses for now, and gives up what it will always refuse', async () => {
    const TOPIC_AUTHORIZATION_FAILED = 29;
    const OFFSET_METADATA_TOO_LARGE = 12;
    const { clock, queue, commit, done } = stage([
      () => [TOPIC_AUTHORIZATION_FAILED, OFFSET_METADATA_TOO_LARGE],
    ]);
    void commit(at(0, 5));
    void commit(at(1, 5));
    queue.resume(member(1));
    await clock.advance(60_000);
    expect(done).toEqual(['KAFKA_REFUSED', '0@5']);
  });

  it('names the setting of the broker that is too small for an intent, and says what to do', async () => {
    const { clock, queue } = stage([() => [12]]);
    const offset = at(0, 5, 'x'.repeat(700));
    const refused = queue.commit(offset, new AbortController().signal).catch((error: unknown) => error);
    queue.resume(member(1));
    await clock.advance(1000);
    expect(String(await refused)).toMatch(
      /t\/0: OFFSET_METADATA_TOO_LARGE.*offset\.metadata\.max\.bytes.*700 bytes.*raise the setting/,
    );
  });

  it('forgets the commit of a partition that is gone', async () => {
    const { clock, queue, commit, requests, done } = stage([]);
    const gone = new AbortController();
    void commit(at(0, 5), gone.signal);
    gone.abort(new Error('gone'));
    queue.resume(member(1));
    await clock.advance(10);
    expect([requests, done]).toEqual([[], ['Error: gone']]);
    void commit(at(0, 3));
    await clock.advance(10);
    expect(done).toEqual(['Error: gone', '0@3']);
  });
});
