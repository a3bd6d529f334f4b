import kafkajs from 'kafkajs';

/** How far the lines are, by what the brokers say, not by what agents and transporters say of themselves. */
export interface Witness {
  /** Records in the topic: a topic starts at offset 0 and the demo's records leave no gaps. */
  recordsInTopic(): Promise<number>;
  /** Records before the committed offsets: a transporter commits an offset when all before it is in S3. */
  recordsCommitted(): Promise<number>;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5000;

/** Uses the client's own admin calls. They reject while no broker answers. */
export async function openWitness(
  bootstrap: readonly string[],
  { topic, group }: { topic: string; group: string },
): Promise<Witness> {
  const kafka = new kafkajs.Kafka({
    clientId: 'skald-demo',
    brokers: [...bootstrap],
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries: 2 },
  });
  const admin = kafka.admin();
  await admin.connect();
  // The client looks for a coordinator only among brokers that it has met.
  await admin.fetchTopicMetadata({ topics: [topic] });
  return {
    async recordsInTopic() {
      const partitions = await admin.fetchTopicOffsets(topic);
      return sum(partitions.map(({ high }) => Number(high)));
    },
    async recordsCommitted() {
      const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      // -1 stands for a partition that has none yet.
      return sum((offsets?.partitions ?? []).map(({ offset }) => Math.max(0, Number(offset))));
    },
    close: () => admin.disconnect(),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
