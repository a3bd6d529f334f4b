import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { arrived, countRecords, readValues } from '../../support/read-topic.ts';
import { freshTopic, sharedStack } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

const KEYS = Array.from({ length: 200 }, (_, i) => `user-${i}`);

/** Writes one record for each key with kafkajs, whose default partitioner is compatible with Java's. */
async function writeAsOthersDo(topic: string): Promise<void> {
  const kafka = new Kafka({ brokers: [...sharedStack().bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: KEYS.map((key) => ({ key, value: 'by another program' })) });
  await producer.disconnect();
}

test('records with keys lie where the records of other producers with the same keys lie, in order, each once', async () => {
  const topic = await freshTopic({ partitions: 6 });
  await writeAsOthersDo(topic);
  const yaml = 'partitioner:\n  type: keyed\n  keyField: user.id\n';
  const host = await agentHost({ app: { topic, yaml } });
  const log = join(host.logs, 'app', 'app.log');
  const line = (seq: number): string =>
    seq % 100 === 99
      ? 'not JSON\n'
      : `${JSON.stringify({ seq, user: { id: KEYS[(seq * 7) % KEYS.length] } })}\n`;
  const lines = Array.from({ length: 20_000 }, (_, seq) => line(seq));
  await writeFile(log, lines.slice(0, 10_000).join(''));
  const agent = host.start();
  const count = KEYS.length + lines.length;
  await waitFor(async () => (await countRecords(topic)) > KEYS.length, {
    timeoutMs: 60_000,
    what: 'first lines',
  });
  agent.signal('SIGKILL');
  await agent.exited();
  await appendFile(log, lines.slice(10_000).join(''));
  const second = host.start();
  await arrived(topic, count);
  second.signal('SIGTERM');
  expect(await second.exited()).toMatchObject({ code: 0 });

  const printed = await readValues(topic, undefined, [
    'print.partition=true',
    'print.key=true',
    'key.separator=|',
  ]);
  const placesOfKey = new Map<string, Set<string>>();
  const linesOfKey = new Map<string, string[]>();
  const seen: string[] = [];
  for (const record of printed.toString().trimEnd().split('\n')) {
    const [, partition, key, value] = /^Partition:(\d+)\|([^|]*)\|(.*)$/.exec(record)!;
    if (value !== 'by another program') {
      seen.push(`${value}\n`);
      linesOfKey.set(key!, [...(linesOfKey.get(key!) ?? []), `${value}\n`]);
    }
    placesOfKey.set(key!, (placesOfKey.get(key!) ?? new Set()).add(partition!));
  }
  const keyless = lines.filter((text) => text.startsWith('not'));
  expect(linesOfKey.get('null')).toEqual(keyless);
  for (const key of KEYS) {
    expect([key, placesOfKey.get(key)!.size]).toEqual([key, 1]);
    expect(linesOfKey.get(key) ?? []).toEqual(lines.filter((text) => text.includes(`"${key}"`)));
  }
  expect(seen.sort()).toEqual([...lines].sort());
});
