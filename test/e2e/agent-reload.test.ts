import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { countRecords, readTopic } from '../support/read-topic.ts';
import { type RunningSkald, startSkald } from '../support/run-skald.ts';
import { freshTopic, sharedStack } from '../support/shared-stack.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

const LINES_A_STEP = 50;
const STEP_MS = 5;
const WAIT_MS = 60_000;

/** An application that logs numbered lines all the time. */
function startWriter(log: string) {
  let lines = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const next = (): string => `line ${(lines += 1)} ${'.'.repeat(lines % 200)}\n`;
      await appendFile(log, Array.from({ length: LINES_A_STEP }, next).join(''));
      await delay(STEP_MS);
    }
  };
  const running = run();
  const stop = async (): Promise<number> => {
    stopped = true;
    await running;
    return lines;
  };
  onTestFinished(async () => void (await stop()));
  return { written: () => lines, stop };
}

interface Pipeline {
  name?: string;
  log: string;
  topic: string;
  kafka?: string;
}

/** An agent that runs over an empty folder of pipelines. */
async function startAgent(reloadIntervalMs: number) {
  const directory = await tempDir();
  const pipelines = join(directory, 'pipelines');
  const logs = join(directory, 'logs');
  for (const folder of [pipelines, logs]) await mkdir(folder);
  const config = join(directory, 'agent.yaml');
  await writeFile(
    config,
    `host: test-host
stateDir: ${join(directory, 'state')}
pipelinesDir: ${pipelines}
reloadIntervalMs: ${reloadIntervalMs}
clusters:
  main:
    brokers: ${JSON.stringify(sharedStack().bootstrap)}
status: false
`,
  );
  const agent = startSkald(['agent', '-c', config]);
  await said(agent, 'the agent runs');
  const fileOf = (file: string): string => join(pipelines, `${file}.yaml`);
  const write = async (file: string, { name, log, topic, kafka = '' }: Pipeline): Promise<void> => {
    await writeFile(
      fileOf(file),
      `${name === undefined ? '' : `name: ${name}\n`}files: {include: [${join(logs, log)}]}
discovery: {scanIntervalMs: 100, pollIntervalMs: 20}
kafka:
  topic: ${topic}
${kafka}`,
    );
  };
  return { agent, config, fileOf, write, logOf: (name: string) => join(logs, name) };
}

async function said(agent: RunningSkald, text: string, times = 1): Promise<void> {
  await waitFor(() => agent.stderr().split(text).length > times || undefined, {
    timeoutMs: WAIT_MS,
    what: `the agent says "${text}" ${times} times`,
  });
}

async function inKafka(topic: string, lines: number): Promise<void> {
  await waitFor(async () => (await countRecords(topic)) >= lines || undefined, {
    timeoutMs: WAIT_MS,
    what: `${lines} lines in ${topic}`,
  });
}

/** Of a pipeline that is about to be touched: it is in the middle of its work. */
async function moreArrives(topic: string): Promise<void> {
  await inKafka(topic, (await countRecords(topic)) + 2 * LINES_A_STEP);
}

async function expectEachLineOnce(topic: string, lines: number): Promise<void> {
  const found = (await readTopic(topic)).map(({ value }) => Number(value.split(' ')[1]));
  expect(found.length).toBe(lines);
  expect(new Set(found).size).toBe(lines);
}

describe('while lines are written', () => {
  it('a pipeline is added, edited, broken, repaired, renamed, removed and put back: each line once, its neighbour untouched', async () => {
    const [topic, neighbour] = await Promise.all([
      freshTopic({ partitions: 4 }),
      freshTopic({ partitions: 2 }),
    ]);
    const { agent, fileOf, write, logOf } = await startAgent(100);
    const app = startWriter(logOf('app.log'));
    const other = startWriter(logOf('other.log'));

    await write('neighbour', { log: 'other.log', topic: neighbour });
    const added = { name: 'app', log: 'app.log', topic, kafka: '  lingerMs: 50\n  codec: lz4\n' };
    await write('app', added);
    await moreArrives(topic);

    for (const [n, kafka] of ['  lingerMs: 10\n  codec: gzip\n', '  batchBytes: 64KiB\n'].entries()) {
      await write('app', { ...added, kafka });
      await said(agent, '"replacing":["app"]', n + 1);
      await moreArrives(topic);
    }

    await write('app', { ...added, kafka: '  codec: zip\n' });
    await said(agent, 'the version before it goes on');
    expect(agent.stderr()).toContain(`${fileOf('app')}:6:10: kafka.codec: `);
    await moreArrives(topic);
    await write('app', { ...added, kafka: '  codec: none\n' });
    await said(agent, '"replacing":["app"]', 3);
    await moreArrives(topic);

    await rename(fileOf('app'), fileOf('renamed'));
    await moreArrives(topic);
    await write('invalid', { log: 'app.log', topic, kafka: '  lingerMs: soon\n' });
    await said(agent, 'a pipeline file is refused until it is corrected', 2);
    expect(agent.stderr()).toContain(`${fileOf('invalid')}:5:13: kafka.lingerMs: `);
    expect(agent.stderr().split('"stopping":["app"]').length, 'a new name is no end').toBe(1);

    const text = await readFile(fileOf('renamed'), 'utf8');
    await rm(fileOf('renamed'));
    await said(agent, 'the pipeline has stopped; its journal stays');
    const before = await countRecords(topic);
    const missed = app.written() + 2 * LINES_A_STEP;
    await waitFor(() => app.written() >= missed || undefined, {
      timeoutMs: WAIT_MS,
      what: 'lines meanwhile',
    });
    expect(await countRecords(topic), 'a removed pipeline carries nothing').toBe(before);
    await writeFile(fileOf('app'), text);
    await moreArrives(topic);

    const [lines, otherLines] = await Promise.all([app.stop(), other.stop()]);
    await Promise.all([inKafka(topic, lines), inKafka(neighbour, otherLines)]);
    agent.signal('SIGTERM');
    expect((await agent.exited()).code).toBe(0);
    await expectEachLineOnce(topic, lines);
    await expectEachLineOnce(neighbour, otherLines);
    expect(agent.stderr()).not.toMatch(/"(replacing|stopping)":\[[^\]]*"neighbour"/);
  });
});

describe('SIGHUP', () => {
  it('takes pipelines over at once, long before the next look, and says that the host file is not reloaded', async () => {
    const topic = await freshTopic({ partitions: 2 });
    const { agent, config, fileOf, write, logOf } = await startAgent(3_600_000);
    await appendFile(logOf('app.log'), 'line 1\nline 2\n');
    await write('app', { log: 'app.log', topic });
    agent.signal('SIGHUP');
    await inKafka(topic, 2);

    agent.signal('SIGHUP');
    await said(agent, 'there is no other version of any to take over');
    expect(agent.stderr()).not.toContain('the host file has changed');
    await appendFile(config, 'log: {level: debug}\n');
    await rm(fileOf('app'));
    agent.signal('SIGHUP');
    await said(agent, 'the host file has changed');
    await said(agent, 'the pipeline has stopped; its journal stays');

    await appendFile(logOf('app.log'), 'line 3\n');
    await write('app', { log: 'app.log', topic });
    agent.signal('SIGHUP');
    await inKafka(topic, 3);
    agent.signal('SIGTERM');
    expect((await agent.exited()).code).toBe(0);
    await expectEachLineOnce(topic, 3);
  });
});
