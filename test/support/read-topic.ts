import { type Admin, Kafka, logLevel } from 'kafkajs';
import { kafkaTool } from '../../scripts/stack/kafka-tool.ts';
import { sharedStack } from './shared-stack.ts';
import { waitFor } from './wait-for.ts';

/** For records that are on their way; on a quiet machine they take a second. */
const ARRIVAL_TIMEOUT_MS = 90_000;
const COUNT_TIMEOUT_MS = 30_000;

export interface TopicLine {
  partition: number;
  value: string;
}

/** A client that gives up soon, once it has tried each broker: whoever waits asks again. */
async function connectedAdmin(bootstrap: readonly string[]): Promise<Admin> {
  const retry = { initialRetryTime: 100, retries: bootstrap.length };
  const admin = new Kafka({ brokers: [...bootstrap], logLevel: logLevel.NOTHING, retry }).admin();
  await admin.connect();
  return admin;
}

async function countWith(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
}

/** Records in a topic by the brokers' own count: the end offsets less the start offsets of all partitions. */
export async function countRecords(
  topic: string,
  bootstrap: readonly string[] = sharedStack().bootstrap,
): Promise<number> {
  const admin = new Kafka({ brokers: [...bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    // A partition whose leader moves says so, and kafkajs does not ask again.
    const { count } = await waitFor(async () => ({ count: await countWith(admin, topic) }), {
      timeoutMs: COUNT_TIMEOUT_MS,
      what: `the number of records in ${topic}`,
    });
    return count;
  } finally {
    await admin.disconnect();
  }
}

/** Waits until there are as many records in a topic, by the brokers' own count. */
export async function arrived(
  topic: string,
  records: number,
  bootstrap: readonly string[] = sharedStack().bootstrap,
): Promise<void> {
  // One connection for all looks: to open one costs brokers and test more than the look.
  let admin: Admin | undefined;
  try {
    await waitFor(
      async () => {
        try {
          admin ??= await connectedAdmin(bootstrap);
          return (await countWith(admin, topic)) >= records;
        } catch (error) {
          await admin?.disconnect();
          admin = undefined;
          throw error;
        }
      },
      { timeoutMs: ARRIVAL_TIMEOUT_MS, what: `${records} records in ${topic}` },
    );
  } finally {
    await admin?.disconnect();
  }
}

/**
 * The values of all records of a topic as Apache's console consumer prints them, byte for byte, each with a newline.
 * Partitions are mixed; the records of one are in order. `properties` are the formatter's.
 */
export async function readValues(
  topic: string,
  bootstrap: readonly string[] = sharedStack().bootstrap,
  properties: readonly string[] = [],
): Promise<Buffer> {
  const count = await countRecords(topic, bootstrap);
  const { stdoutBytes } = await kafkaTool(
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    [
      `--bootstrap-server=${bootstrap.join(',')}`,
      `--topic=${topic}`,
      `--max-messages=${count}`,
      '--from-beginning',
      '--timeout-ms=30000',
      ...properties.map((property) => `--property=${property}`),
    ],
    { timeoutMs: 120_000 },
  );
  return stdoutBytes;
}

/** Every record of a topic as Apache's console consumer prints it, in offset order within a partition. */
export async function readTopic(topic: string, bootstrap?: readonly string[]): Promise<TopicLine[]> {
  if ((await countRecords(topic, bootstrap)) === 0) return [];
  const printed = await readValues(topic, bootstrap, ['print.partition=true', 'key.separator=|']);
  return printed
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, partition, value] = /^Partition:(\d+)\|(.*)$/s.exec(line) ?? [];
      if (partition === undefined || value === undefined)
        throw new Error(`not a line of the console consumer: ${line}`);
      return { partition: Number(partition), value };
    });
}
