/** Reads all of a topic as it comes. */
import { fetchRequest } from '../shared/kafka/requests/fetch.ts';
import { openCluster } from '../shared/kafka/cluster.ts';
import { silentLogger } from '../shared/telemetry/logger.ts';
import { clusterConfigSchema } from '../shared/config/cluster-config.ts';
import { decompressRecords } from '../shared/wire/decode-records.ts';
import { verifyBatch } from '../shared/wire/record-batch.ts';
import { splitRecordSet } from '../shared/wire/split-record-set.ts';
import { walkRecords } from '../shared/wire/walk-records.ts';

const MIB = 1024 ** 2;
const MOST_BATCH_BYTES = 64 * MIB;

/** Gets the value of each record as a view of its batch, and when its batch was there. */
export type OnValue = (bytes: Uint8Array, start: number, end: number, nowMs: number) => void;

export interface Following {
  /** @throws what went wrong while it followed */
  stop(): Promise<void>;
}

/** From the beginning, each leader asked by itself, a batch as soon as all replicas in sync have it. */
export async function followTopic(
  bootstrap: readonly string[],
  topic: string,
  onValue: OnValue,
): Promise<Following> {
  const config = clusterConfigSchema.parse({ brokers: [...bootstrap] });
  const cluster = openCluster({ ...config, tls: undefined, sasl: undefined }, { logger: silentLogger });
  const { partitions } = (await cluster.metadata([topic])).topics.get(topic)!;
  const leaders = new Set(partitions.map(({ leader }) => leader));
  let isStopped = false;

  const followLeader = async (leader: number): Promise<void> => {
    const own = partitions.filter((one) => one.leader === leader);
    const offsets = new Map(own.map(({ partition }) => [partition, 0]));
    while (!isStopped) {
      const wanted = [...offsets].map(([partition, fetchOffset]) => {
        return { topic, partition, fetchOffset, maxBytes: 4 * MIB };
      });
      const limits = { maxWaitMs: 100, minBytes: 1, maxBytes: 32 * MIB };
      const answer = await cluster.send(
        leader,
        'fetch',
        fetchRequest({ partitions: wanted, ...limits, isolation: 'read_uncommitted', rackId: '' }),
      );
      const nowMs = Date.now();
      for (const { partition, errorCode, records } of answer.partitions) {
        if (errorCode !== 0)
          throw new Error(`${topic}-${partition} cannot be read: Kafka's error ${errorCode}`);
        for (const span of splitRecordSet(records).batches) {
          const header = verifyBatch(records, span);
          const section = await decompressRecords(records, header, MOST_BATCH_BYTES);
          walkRecords(section, header, (_offset, _time, _keyStart, _keyEnd, start, end) =>
            onValue(section, start, end, nowMs),
          );
          offsets.set(partition, header.baseOffset + header.lastOffsetDelta + 1);
        }
      }
    }
  };
  const following = Promise.all([...leaders].map(followLeader));
  following.catch(() => {}); // stop() tells it
  return {
    stop: async () => {
      isStopped = true;
      try {
        await following;
      } finally {
        await cluster.close();
      }
    },
  };
}
