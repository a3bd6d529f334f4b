import { readFileSync } from 'node:fs';

const lines = readFileSync(new URL('fixtures/kafka-batches.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

/**
 * A batch that Apache Kafka's own library has built; fixtures/KafkaBatches.java says from what. A new buffer
 * each time.
 */
export function kafkaBatch(name: string): Buffer {
  const line = lines.find((candidate) => candidate.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no batch ${name}`);
  return Buffer.from(line.slice(name.length + 1), 'hex');
}
