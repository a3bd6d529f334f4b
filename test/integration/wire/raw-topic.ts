import { openCluster } from '../../../shared/kafka/cluster.ts';
import { fetchRequest } from '../../../shared/kafka/requests/fetch.ts';
import { initProducerIdRequest } from '../../../shared/kafka/requests/init-producer-id.ts';
import { produceRequest } from '../../../shared/kafka/requests/produce.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { type DecodedRecord, decodeRecords } from '../../../shared/wire/decode-records.ts';
import type { BatchHeader } from '../../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../../shared/wire/split-record-set.ts';
import { sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';

const TIMEOUT_MS = 30_000;
const FETCH_BYTES = 64 * 1024 * 1024;

/** Partition 0 of a topic, as the bytes that travel. */
export interface RawTopic {
  /** Appends one batch and returns the error code and the offset of its first record. */
  produce(batch: Uint8Array): Promise<{ errorCode: number; baseOffset: number }>;
  newProducerId(): Promise<{ producerId: bigint; producerEpoch: number }>;
  /** Everything from offset 0 to the end, decoded by us. */
  read(): Promise<{ headers: BatchHeader[]; records: DecodedRecord[] }>;
  close(): Promise<void>;
}

export async function openRawTopic(topic: string): Promise<RawTopic> {
  const limits = { connectTimeoutMs: TIMEOUT_MS, requestTimeoutMs: TIMEOUT_MS, metadataMaxAgeMs: TIMEOUT_MS };
  const config = { brokers: [...sharedStack().bootstrap], clientId: 'skald-test', ...limits };
  const cluster = openCluster(config, { logger: silentLogger });
  const { topics } = await cluster.metadata([topic]);
  const leader = topics.get(topic)!.partitions[0]!.leader;

  const fetchFrom = async (fetchOffset: number) => {
    const partitions = [{ topic, partition: 0, fetchOffset, maxBytes: FETCH_BYTES }];
    const options = { maxWaitMs: 100, minBytes: 1, maxBytes: FETCH_BYTES, rackId: '' };
    const request = fetchRequest({ partitions, isolation: 'read_uncommitted', ...options });
    const answer = (await cluster.send(leader, 'fetch', request)).partitions[0]!;
    if (answer.errorCode !== 0) throw new Error(`fetch of ${topic}: error ${answer.errorCode}`);
    return answer;
  };

  return {
    async produce(batch) {
      const request = produceRequest({ partitions: [{ topic, partition: 0, batch }], timeoutMs: TIMEOUT_MS });
      return (await cluster.send(leader, 'produce', request)).partitions[0]!;
    },
    async newProducerId() {
      const ask = async () => {
        const { errorCode, ...identity } = await cluster.sendToAny(initProducerIdRequest());
        return errorCode === 0 ? identity : undefined;
      };
      // A broker that has just started has no ids to give until the controller sends it a block of them.
      return waitFor(ask, { timeoutMs: TIMEOUT_MS, what: 'a producer id' });
    },
    async read() {
      const headers: BatchHeader[] = [];
      const records: DecodedRecord[] = [];
      for (let offset = 0, end = 1; offset < end;) {
        const answer = await fetchFrom(offset);
        end = answer.highWatermark;
        const { batches } = splitRecordSet(answer.records);
        if (batches.length === 0) throw new Error(`no batch at offset ${offset} of ${end}`);
        for (const span of batches) {
          const bounds = { minOffset: offset, maxOffset: end - 1 };
          const batch = await decodeRecords(answer.records, { span, bounds, maxOutputBytes: FETCH_BYTES });
          headers.push(batch.header);
          records.push(...batch.records);
          offset = batch.header.lastOffset + 1;
        }
      }
      return { headers, records };
    },
    close: () => cluster.close(),
  };
}
