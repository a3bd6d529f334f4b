import { readFileSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { agentFiles } from '../support/agent-files.ts';
import { arrived, readTopic } from '../support/read-topic.ts';
import { startSkald } from '../support/run-skald.ts';
import { freshTopic, sharedStack } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';

const FILES = 10_000;
const MEASURED_MS = 10_000;
/** Linux counts CPU time for readers of /proc in ticks of 10 ms (proc(5), sysconf(_SC_CLK_TCK) is 100 everywhere). */
const TICK_MS = 10;
/** What agentFiles sets. */
const LINGER_MS = 20;
const ARRIVAL_TIMEOUT_MS = 30_000;
const MOST_ARRIVALS = 20;

/** User and system time of a process: fields 14 and 15 of its stat (proc(5)); the name in front of them ends with a bracket. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** CPU time as a share of one core, while nothing happens. */
async function idleShare(pid: number): Promise<number> {
  const beforeMs = cpuMs(pid);
  await delay(MEASURED_MS);
  return (cpuMs(pid) - beforeMs) / MEASURED_MS;
}

/** Milliseconds from writing a line to the moment at which the brokers count it. */
async function arrival(topic: string, file: string): Promise<number> {
  const admin = new Kafka({ brokers: [...sharedStack().bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const count = async (): Promise<number> => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };
  try {
    const before = await count();
    const writtenMs = performance.now();
    await appendFile(file, 'a new line\n');
    while ((await count()) === before) {
      if (performance.now() - writtenMs > ARRIVAL_TIMEOUT_MS) throw new Error('the line does not arrive');
    }
    return performance.now() - writtenMs;
  } finally {
    await admin.disconnect();
  }
}

it(`${FILES} idle files cost under 1 % of a core and 150 MB, and a line in one of them is in Kafka at once`, async () => {
  const topic = await freshTopic({ partitions: 3 });
  const { config, logs } = await agentFiles(await tempDir(), topic);
  const path = (i: number): string => join(logs, `${i}.log`);
  for (let i = 0; i < FILES; i += 1)
    await writeFile(path(i), `${String(i).padStart(20, '0')} the first line\n`);
  const agent = startSkald(['agent', '-c', config]);
  await arrived(topic, FILES);

  // What a busy machine does to one measurement it does not do to three.
  const shares: number[] = [];
  for (let tries = 0; tries < 3 && !(shares.at(-1)! < 0.01); tries += 1)
    shares.push(await idleShare(agent.pid));
  expect(Math.min(...shares)).toBeLessThan(0.01);
  expect(residentBytes(agent.pid)).toBeLessThan(150e6);

  // So is one line that comes late among several.
  const delays: number[] = [];
  while (delays.length < MOST_ARRIVALS && !(delays.at(-1)! < LINGER_MS + 200)) {
    delays.push(await arrival(topic, path(FILES - 1 - delays.length)));
  }
  expect(Math.min(...delays)).toBeLessThan(LINGER_MS + 200);
  const lines = (await readTopic(topic)).map(({ value }) => value);
  expect(lines.filter((line) => line === 'a new line')).toHaveLength(delays.length);
  expect(lines).toHaveLength(FILES + delays.length);
});
