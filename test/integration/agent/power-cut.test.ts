/**
 * What a power cut leaves of a journal that is not forced to disk: any beginning of it, and another boot of the machine.
 * The brokers, which run on other machines, have all that was sent.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatEntry, parseJournal } from '../../../agent/checkpoint/journal-lines.ts';
import { between, seededRandom } from '../../simulation/support/random.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { numberedLog, writeSteadily } from '../../support/numbered-log.ts';
import { arrived, countRecords } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { waitFor } from '../../support/wait-for.ts';
import { agentHost } from './agent-host.ts';

const ROUNDS = 10;
const LINES_A_ROUND = 4_000;

/** Cuts the journal off somewhere behind what was on the disk when the agent had started; says how many entries went. */
async function cutPower(journal: string, random: () => number): Promise<number> {
  const { entries } = parseJournal(await readFile(journal));
  const durable = entries.findLastIndex(({ t }) => t === 'sequences') + 1;
  const kept = between(random, durable, entries.length);
  const left = entries
    .slice(0, kept)
    .map((entry) => (entry.t === 'life' ? { ...entry, boot: 'before the power cut' } : entry));
  await writeFile(journal, left.map(formatEntry).join(''));
  return entries.length - kept;
}

test('power cuts again and again, with files that rotate and journal.fsync: never: each line once', async () => {
  const seed = Date.now() % 100_000;
  const random = seededRandom(seed);
  const topic = await freshTopic({ partitions: 6 });
  const partitioner = 'partitioner:\n  stickyMs: 100\n  stickyBytes: 64KiB\n';
  const host = await agentHost(
    { app: { topic, kafka: ['batchBytes: 16KiB'], yaml: partitioner } },
    { agent: 'journal:\n  fsync: never\n' },
  );
  const log = numberedLog(join(host.logs, 'app', 'app.log'));
  const journal = join(host.stateDir, 'pipelines', 'app', 'journal');
  let lost = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await countRecords(topic);
    const agent = host.start();
    const writing = writeSteadily(log, { lines: LINES_A_ROUND, overMs: 600 });
    await waitFor(async () => (await countRecords(topic)) > before, {
      timeoutMs: 30_000,
      what: `lines of round ${round}`,
    });
    if (random() < 0.5) await writing; // else while lines are written
    agent.signal('SIGKILL');
    await agent.exited();
    lost += await cutPower(journal, random);
    await writing;
    log.rename(join(host.logs, 'app', `app.log.${round}`));
  }
  expect(lost).toBeGreaterThan(0);
  const last = host.start();
  await arrived(topic, log.written);
  await waitFor(async () => (await host.status('app'))?.lagBytes === 0, {
    timeoutMs: 30_000,
    what: 'the acknowledgement of all lines',
  });
  last.signal('SIGTERM');
  await last.exited();
  const { missing, doubled } = await judgeTopic(topic, log.written);
  expect({ missing, doubled }, `seed ${seed}`).toEqual({ missing: [], doubled: [] });
  log.close();
});
