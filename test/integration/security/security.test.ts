import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTopic, topicIsReady } from '../../../scripts/stack/kafka-admin.ts';
import type { ClusterConfig } from '../../../shared/config/cluster-config.ts';
import { isSkaldError } from '../../../shared/errors.ts';
import { openCluster } from '../../../shared/kafka/cluster.ts';
import { silentLogger } from '../../../shared/telemetry/logger.ts';
import { agentFiles } from '../../support/agent-files.ts';
import { countRecords, readTopic } from '../../support/read-topic.ts';
import { startSkald } from '../../support/run-skald.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { PASSWORD, startSecureBroker, USER } from './secure-broker.ts';

async function metadataCode(config: ClusterConfig): Promise<string> {
  const cluster = openCluster(config, { logger: silentLogger });
  try {
    await cluster.metadata([]);
    return 'ok';
  } catch (error) {
    return isSkaldError(error) ? error.code : String(error);
  } finally {
    await cluster.close();
  }
}

it('TLS and SASL: every mechanism is let in, and a wrong password, certificate or protocol says so by its code', async () => {
  const directory = await tempDir();
  const { address, caFile, stack } = await startSecureBroker(directory);
  const tls = { caFile, rejectUnauthorized: true };
  const base = {
    clientId: 'test',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 10_000,
    metadataMaxAgeMs: 60_000,
  };
  const sasl = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password = PASSWORD) => ({
    sasl: { mechanism, username: USER, password },
  });
  const secure = { ...base, brokers: [address] };
  const codes: Record<string, string[]> = {};
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    codes[mechanism] = [
      await metadataCode({ ...secure, tls, ...sasl(mechanism) }),
      await metadataCode({ ...secure, tls, ...sasl(mechanism, 'wrong') }),
    ];
  }
  expect(codes).toEqual({
    plain: ['ok', 'KAFKA_AUTHENTICATION'],
    'scram-sha-256': ['ok', 'KAFKA_AUTHENTICATION'],
    'scram-sha-512': ['ok', 'KAFKA_AUTHENTICATION'],
  });
  // A certificate that nobody vouches for, and a plain listener that is spoken to in TLS.
  expect(await metadataCode({ ...secure, tls: true, ...sasl('plain') })).toBe('KAFKA_TLS');
  expect(await metadataCode({ ...base, brokers: [...stack.bootstrap], tls })).toMatch(
    /^KAFKA_(TLS|UNREACHABLE)$/,
  );
});

it('an agent with TLS and SCRAM: a wrong password is said and nothing is lost; with the right one every line arrives', async () => {
  const directory = await tempDir();
  const { address, caFile, stack } = await startSecureBroker(directory);
  const topic = 'secure';
  await createTopic(stack.bootstrap, topic, { partitions: 1 });
  await waitFor(() => topicIsReady(stack.bootstrap, topic, 1), {
    timeoutMs: 30_000,
    what: `a leader of ${topic}`,
  });

  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, 'wrong\n');
  const { config, logs } = await agentFiles(directory, topic, {
    bootstrap: [address],
    cluster: `    tls: { caFile: ${caFile} }
    sasl: { mechanism: scram-sha-512, username: ${USER}, passwordFile: ${passwordFile} }
`,
  });
  await writeFile(join(logs, 'app.log'), 'first\nsecond\n');
  const refused = startSkald(['agent', '-c', config]);
  await waitFor(() => refused.stderr().includes('KAFKA_AUTHENTICATION'), {
    timeoutMs: 30_000,
    what: 'the agent says that its login was refused',
  });
  expect(refused.stderr()).not.toContain(PASSWORD);
  refused.signal('SIGTERM');
  expect((await refused.exited()).code).toBe(0);
  expect(await countRecords(topic, stack.bootstrap)).toBe(0);

  await writeFile(passwordFile, `${PASSWORD}\n`);
  const agent = startSkald(['agent', '-c', config]);
  await waitFor(async () => (await countRecords(topic, stack.bootstrap)) === 2, {
    timeoutMs: 30_000,
    what: 'both lines in the topic',
  });
  agent.signal('SIGTERM');
  expect((await agent.exited()).code).toBe(0);
  expect((await readTopic(topic, stack.bootstrap)).map(({ value }) => value)).toEqual(['first', 'second']);
});
