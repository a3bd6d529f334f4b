import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { countRecords } from '../../support/read-topic.ts';
import { sharedStack } from '../../support/shared-stack.ts';

/**
 * The values of all records of a topic as Apache's console consumer prints them, byte for byte, each with a newline.
 * Partitions are mixed; the records of one are in order.
 */
export async function readValues(
  topic: string,
  bootstrap: readonly string[] = sharedStack().bootstrap,
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
    ],
    { timeoutMs: 120_000 },
  );
  return stdoutBytes;
}
