/** Access that is taken away while the agent runs, by Apache's own tools, on a broker with TLS, SCRAM and an authorizer. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { judgeTopic } from '../../support/judge-topic.ts';
import { keepWriting, numberedLog } from '../../support/numbered-log.ts';
import { countRecords } from '../../support/read-topic.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { PASSWORD, startSecureBroker, USER } from '../security/secure-broker.ts';
import { agentHost } from './agent-host.ts';

const EACH_ONCE_IN_ORDER = { missing: [], doubled: [], outOfOrder: 0 };
/** The agent asks again at distances that grow up to half a minute: each refused login may count towards a lock-out. */
const PATIENCE_MS = 90_000;

/** An agent that logs in as `alice` and carries two pipelines, each to a topic of its own, both with a busy writer. */
async function world(settings: Record<string, string>) {
  const { address, caFile, stack } = await startSecureBroker(await tempDir(), settings);
  const { bootstrap } = stack;
  const topics = {
    bad: await freshTopic({ partitions: 1 }, bootstrap),
    good: await freshTopic({ partitions: 1 }, bootstrap),
  };
  const tool = (className: string, ...args: string[]): Promise<unknown> =>
    kafkaTool(className, [`--bootstrap-server=${bootstrap[0]!}`, ...args]);
  const host = await agentHost(
    { bad: { topic: topics.bad }, good: { topic: topics.good } },
    {
      bootstrap: [address],
      cluster: [
        `tls: { caFile: ${caFile} }`,
        `sasl: { mechanism: scram-sha-512, username: ${USER}, password: ${PASSWORD} }`,
      ],
    },
  );
  const names = ['bad', 'good'] as const;
  const logs = names.map((name) => numberedLog(join(host.logs, name, 'app.log')));
  onTestFinished(() => logs.forEach((log) => log.close()));
  const writers = logs.map((log) => keepWriting(log, 1_000));
  const count = (name: 'bad' | 'good'): Promise<number> => countRecords(topics[name], bootstrap);
  const grows = async (name: 'bad' | 'good', by = 1_000): Promise<unknown> => {
    const before = await count(name);
    return waitFor(async () => (await count(name)) >= before + by, {
      timeoutMs: PATIENCE_MS,
      what: `${by} more records in the ${name} topic`,
    });
  };
  return {
    host,
    topics,
    tool,
    count,
    grows,
    start: () => {
      const agent = host.start();
      return {
        agent,
        /** Ends the writers, waits for all lines, ends the agent. */
        judge: async () => {
          const judgements = [];
          for (const [i, name] of names.entries()) {
            const written = await writers[i]!.stop();
            await waitFor(async () => (await count(name)) >= written, {
              timeoutMs: PATIENCE_MS,
              what: `all ${written} lines of the ${name} topic`,
            });
          }
          agent.signal('SIGTERM');
          expect(await agent.exited()).toMatchObject({ code: 0 });
          for (const [i, name] of names.entries()) {
            const { records: _, ...judgement } = await judgeTopic(topics[name], logs[i]!.written, bootstrap);
            judgements.push(judgement);
          }
          return judgements;
        },
      };
    },
  };
}

test('the right to write to one topic is taken away and given back: said, the other topic goes on, each line once', async () => {
  const w = await world({
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS', // the brokers themselves, and this test
  });
  const acl = (what: '--add' | '--remove', topic: string): Promise<unknown> =>
    w.tool(
      'org.apache.kafka.tools.AclCommand',
      what,
      ...(what === '--remove' ? ['--force'] : []),
      `--allow-principal=User:${USER}`,
      ...['Write', 'Describe', 'DescribeConfigs'].map((operation) => `--operation=${operation}`),
      `--topic=${topic}`,
    );
  await acl('--add', w.topics.bad);
  await acl('--add', w.topics.good);
  const { agent, judge } = w.start();
  await w.grows('bad');

  await acl('--remove', w.topics.bad);
  await waitFor(() => /TOPIC_AUTHORIZATION_FAILED/.test(agent.stderr()), {
    timeoutMs: PATIENCE_MS,
    what: 'the agent says that it may not write',
  });
  await w.grows('good', 3_000);

  await acl('--add', w.topics.bad);
  expect(await judge()).toEqual([EACH_ONCE_IN_ORDER, EACH_ONCE_IN_ORDER]);
});

test('sessions end and are renewed under load, then the user is deleted and made again: said, and each line once', async () => {
  // KIP-368. kafkajs logs in again ten seconds before the end of a session: here every two seconds.
  const w = await world({ 'listener.name.secure.scram-sha-512.connections.max.reauth.ms': '12000' });
  const user = [`--entity-type=users`, `--entity-name=${USER}`, '--alter'];
  const { agent, judge } = w.start();
  await w.grows('good', 5_000); // over several sessions

  await w.tool('kafka.admin.ConfigCommand', ...user, '--delete-config=SCRAM-SHA-512');
  await waitFor(() => agent.stderr().includes('KAFKA_AUTHENTICATION'), {
    timeoutMs: PATIENCE_MS,
    what: 'the agent says that its login was refused',
  });
  expect(agent.stderr()).not.toContain(PASSWORD);
  await w.tool('kafka.admin.ConfigCommand', ...user, `--add-config=SCRAM-SHA-512=[password=${PASSWORD}]`);
  expect(await judge()).toEqual([EACH_ONCE_IN_ORDER, EACH_ONCE_IN_ORDER]);
});
