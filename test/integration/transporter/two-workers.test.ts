import { expect, it } from 'vitest';
import { startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { committedOffsets, isCarried, kafka, readS3Objects, transporterFile } from './transporter-files.ts';

const PARTITIONS = 6;
const ROUNDS = 120;
const RECORDS_A_ROUND = 250;

it('one of two workers in different racks is killed -9 in the middle: every record is stored once', async () => {
  const topic = await freshTopic({ partitions: PARTITIONS, replicationFactor: 3 });
  const group = uniqueName('group');
  const prefix = freshPrefix();
  const directory = await tempDir();
  const start = async (name: string, rack: string) =>
    startSkald(['transporter', '-c', await transporterFile(directory, name, { topic, group, prefix, rack })]);
  const doomed = await start('doomed', 'rack-a');
  await start('survivor', 'rack-b');

  const producer = kafka().producer();
  await producer.connect();
  const sent: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const values = Array.from(
      { length: RECORDS_A_ROUND },
      (_, i) => `round ${round} record ${i} ${'.'.repeat(i)}`,
    );
    sent.push(...values);
    await producer.send({ topic, messages: values.map((value) => ({ value })), compression: round % 2 });
    if (round === ROUNDS / 2) {
      await waitFor(async () => (await committedOffsets(group, topic)).some(({ offset }) => offset > 0), {
        timeoutMs: 30_000,
        what: 'the first chunks are committed',
      });
      doomed.signal('SIGKILL');
      await doomed.exited();
    }
  }
  await producer.disconnect();

  await waitFor(() => isCarried(group, topic), { timeoutMs: 60_000, what: 'everything is committed' });
  const objects = readS3Objects(prefix);
  expect([...objects.values()].flat().sort()).toEqual(sent.sort());
  for (const name of objects.keys()) {
    expect(name).toMatch(/^test-[^/]+\/dt=\d{4}-\d\d-\d\d\/hr=\d\d\/[0-5]-\d+\.log\.zst$/);
  }
}, 120_000);
