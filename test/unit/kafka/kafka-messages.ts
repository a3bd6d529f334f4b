import { readFileSync } from 'node:fs';

/** Requests and answers as Apache Kafka's own library writes them, by name; fixtures/KafkaMessages.java says how. */
export const KAFKA_MESSAGES: ReadonlyMap<string, Buffer> = new Map(
  readFileSync(new URL('fixtures/kafka-messages.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name, hex]) => [name!, Buffer.from(hex!, 'hex')]),
);

export function kafkaMessage(name: string): Buffer {
  const bytes = KAFKA_MESSAGES.get(name);
  if (bytes === undefined) throw new Error(`no message ${name} in kafka-messages.txt`);
  return bytes;
}
