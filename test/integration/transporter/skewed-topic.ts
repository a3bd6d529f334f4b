import { createLineMaker } from '../../../scripts/demo/log-line.ts';
import { openCluster } from '../../../shared/kafka/cluster.ts';
import { produceRequest } from '../../../shared/kafka/requests/produce.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { encodeRecordBatch } from '../../../shared/wire/encode-records.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';

const TIMEOUT_MS = 60_000;
const LARGE_BATCH_BYTES = 1024 ** 2;
const SMALL_BATCH_BYTES = 1024;
const MAX_IN_FLIGHT = 10;

export interface SkewedTopic {
  topic: string;
  textBytes: number;
}

/**
 * A new topic in which every partition has some lines, and the large batches are spread by Zipf's law: the partition of
 * rank n has an n-th of what the first one has.
 */
export async function skewedTopic(partitions: number, firstBatches: number): Promise<SkewedTopic> {
  const topic = await freshTopic({ partitions, replicationFactor: 1 });
  const limits = { connectTimeoutMs: TIMEOUT_MS, requestTimeoutMs: TIMEOUT_MS, metadataMaxAgeMs: TIMEOUT_MS };
  const config = { brokers: [...sharedStack().bootstrap], clientId: 'skald-test', ...limits };
  const cluster = openCluster(config, { logger: silentLogger });
  const infos = (await cluster.metadata([topic])).topics.get(topic)!.partitions;
  const [small, large] = [await batchOf(SMALL_BATCH_BYTES), await batchOf(LARGE_BATCH_BYTES)];
  const filled = { topic, textBytes: 0 };
  const inFlight = new Set<Promise<void>>();

  const produce = async (partition: number, leader: number, { batch }: Batch): Promise<void> => {
    const request = produceRequest({ partitions: [{ topic, partition, batch }], timeoutMs: TIMEOUT_MS });
    // A broker can be told later than all others that it leads a new partition.
    const isProduced = async (): Promise<boolean> =>
      (await cluster.send(leader, 'produce', request)).partitions[0]!.errorCode === 0;
    await waitFor(isProduced, { timeoutMs: TIMEOUT_MS, what: `${topic}/${partition} takes a batch` });
  };

  for (const { partition, leader } of infos) {
    const largeOnes = Math.floor(firstBatches / (partition + 1));
    for (const batch of [small, ...Array.from({ length: largeOnes }, () => large)]) {
      filled.textBytes += batch.textBytes;
      const sending = produce(partition, leader, batch).finally(() => inFlight.delete(sending));
      inFlight.add(sending);
      if (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight);
    }
  }
  await Promise.all(inFlight);
  await cluster.close();
  return filled;
}

interface Batch {
  batch: Uint8Array;
  textBytes: number;
}

async function batchOf(bytes: number): Promise<Batch> {
  const timestampMs = Date.now();
  const nextLine = createLineMaker('skewed', 1, timestampMs);
  const records: { value: Buffer; timestampMs: number }[] = [];
  let textBytes = 0;
  while (textBytes < bytes) {
    const value = Buffer.from(nextLine());
    records.push({ value, timestampMs });
    textBytes += value.length + 1;
  }
  return { batch: await encodeRecordBatch(records, { codec: 'zstd' }), textBytes };
}
