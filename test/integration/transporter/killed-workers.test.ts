import { CompressionTypes } from 'kafkajs';
import { expect, it } from 'vitest';
import { type RunningSkald, startSkald } from '../../support/run-skald.ts';
import { freshPrefix, freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { uniqueName } from '../../support/unique-name.ts';
import { waitFor } from '../../support/wait-for.ts';
import { committedOffsets, isCarried, kafka, readS3Objects, transporterFile } from './transporter-files.ts';

const PARTITIONS = 6;
const ROUNDS = 300;
const RECORDS_A_ROUND = 250;
/** What befalls a worker after which rounds; then another one is started in another rack. */
const STRIKES = new Map<number, NodeJS.Signals>([
  [80, 'SIGKILL'],
  [150, 'SIGSTOP'],
  [220, 'SIGKILL'],
]);

it('workers in different racks are killed -9, or frozen for longer than their session, in the middle: every record is stored once', async () => {
  const topic = await freshTopic({ partitions: PARTITIONS, replicationFactor: 3 });
  const group = uniqueName('group');
  const prefix = freshPrefix();
  const directory = await tempDir();
  const start = async (name: string, rack: string) => {
    const file = await transporterFile(directory, name, { topic, group, prefix, rack });
    return startSkald(['transporter', '-c', file]);
  };
  const committed = async (): Promise<number> =>
    (await committedOffsets(group, topic)).reduce((sum, { offset }) => sum + offset, 0);

  const fleet = [await start('worker-0', 'rack-a'), await start('worker-1', 'rack-b')];
  const producer = kafka().producer();
  await producer.connect();
  const sent: string[] = [];
  const frozen: RunningSkald[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const values = Array.from(
      { length: RECORDS_A_ROUND },
      (_, i) => `round ${round} no ${i} ${'.'.repeat(i)}`,
    );
    sent.push(...values);
    const compression = round % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.None;
    await producer.send({ topic, messages: values.map((value) => ({ value })), compression });
    const signal = STRIKES.get(round);
    if (signal === undefined) continue;
    const before = await committed();
    await waitFor(async () => (await committed()) > before, {
      timeoutMs: 90_000,
      what: 'chunks are committed',
    });
    const doomed = fleet.shift()!;
    doomed.signal(signal);
    if (signal === 'SIGKILL') await doomed.exited();
    else frozen.push(doomed);
    fleet.push(await start(`worker-${round}`, 'rack-c'));
  }
  await producer.disconnect();

  await waitFor(() => isCarried(group, topic), { timeoutMs: 60_000, what: 'everything is committed' });
  for (const zombie of frozen) {
    zombie.signal('SIGCONT');
    await waitFor(() => zombie.stderr().includes('lost the membership of the group, joining again'), {
      timeoutMs: 90_000,
      what: 'the one that was frozen learns that others have its partitions',
    });
  }
  const objects = await readS3Objects(prefix);
  expect([...objects.values()].flat().sort(byText)).toEqual(sent.sort(byText));
  for (const name of objects.keys()) {
    expect(name).toMatch(/^test-[^/]+\/dt=\d{4}-\d\d-\d\d\/hr=\d\d\/[0-5]-\d+\.log\.zst$/);
  }
}, 180_000);

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
