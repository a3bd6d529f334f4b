import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { describeTopic } from '../../../scripts/stack/kafka-admin.ts';
import type { PartitionState } from '../../../scripts/stack/kafka-admin.ts';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { findFreePorts, isFree, LOOPBACK } from '../../../scripts/stack/ports.ts';
import { identityOf } from '../../../scripts/stack/process-identity.ts';
import { startStack } from '../../../scripts/stack/stack.ts';
import type { LocalStack, StackBroker, StackOptions } from '../../../scripts/stack/stack.ts';
import { freshTopic } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

/** The shortest time to notice a dead broker that does not yet mistake a busy one for dead. */
const QUICK_FAILOVER = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' };
/** The session, the election that follows, and a busy machine. */
const FAILOVER_TIMEOUT_MS = 60_000;

/** Asks one broker only: Kafka's own tools may pick a paused one, and wait half a minute for it. */
async function partitionOf(broker: StackBroker | undefined, topic: string): Promise<PartitionState> {
  const [state] = await describeTopic([`${broker!.host}:${broker!.port}`], topic);
  return state!;
}

/** Returns the partition's state when `broker` sees another leader than `leader`. */
async function waitForFailover(
  broker: StackBroker | undefined,
  topic: string,
  leader: number,
): Promise<PartitionState> {
  return waitFor(
    async () => {
      const state = await partitionOf(broker, topic);
      return state.leader !== leader && state.leader >= 0 && state;
    },
    { timeoutMs: FAILOVER_TIMEOUT_MS, what: `another leader than broker ${leader}` },
  );
}

async function startForTest(options: StackOptions): Promise<LocalStack> {
  const stack = await startStack(options);
  onTestFinished(() => stack.stop());
  return stack;
}

describe('a stack whose brokers break', { timeout: 3 * FAILOVER_TIMEOUT_MS }, () => {
  let stack: LocalStack;

  beforeAll(async () => {
    stack = await startStack({ s3: false, brokerSettings: QUICK_FAILOVER });
  });
  afterAll(() => stack.stop());

  test('a killed leader is replaced by a follower, and is in sync again after a restart', async () => {
    const topic = await freshTopic({ replicaAssignment: [[1, 2, 3]] }, stack.bootstrap);

    await stack.killBroker(1);
    expect(stack.brokers[0]!.pid).toBeUndefined();
    const { inSync } = await waitForFailover(stack.brokers[1], topic, 1);
    expect(new Set(inSync)).toEqual(new Set([2, 3]));

    await stack.startBroker(1);
    await waitFor(async () => (await partitionOf(stack.brokers[0], topic)).inSync.length === 3, {
      timeoutMs: FAILOVER_TIMEOUT_MS,
      what: 'three replicas in sync',
    });
    expect(stack.brokers[0]!.pid).toBeDefined();
  });

  test('a paused broker loses its leadership and comes back when it goes on', async () => {
    const topic = await freshTopic({ replicaAssignment: [[2, 3, 1]] }, stack.bootstrap);

    stack.pauseBroker(2);
    const { inSync } = await waitForFailover(stack.brokers[2], topic, 2);
    expect(new Set(inSync)).toEqual(new Set([1, 3]));

    stack.resumeBroker(2);
    await waitFor(async () => (await partitionOf(stack.brokers[1], topic)).inSync.length === 3, {
      timeoutMs: FAILOVER_TIMEOUT_MS,
      what: 'three replicas in sync',
    });
  });

  test('a paused broker can be killed, and a broker that nobody knows is refused', async () => {
    stack.pauseBroker(3);
    await stack.killBroker(3, 'SIGKILL');
    await stack.startBroker(3);

    expect(() => stack.pauseBroker(4)).toThrow('no broker 4; there are 1, 2, 3');
  });
});

describe('a stack of one broker', () => {
  test('takes settings, goes on with another S3 process, and leaves nothing behind', async () => {
    const stack = await startForTest({ brokers: 1, brokerSettings: { 'message.max.bytes': '12345' } });
    const firstPid = stack.s3Pid!;
    await stack.restartS3();
    expect(stack.s3Pid).not.toBe(firstPid);

    const args = ['--bootstrap-server', stack.bootstrap[0]!, '--describe', '--all', '--broker', '1'];
    const { stdout } = await kafkaTool('kafka.admin.ConfigCommand', args);
    expect(stdout).toContain('message.max.bytes=12345');
    expect(stdout).toContain('broker.rack=rack-a');

    const pids = [stack.brokers[0]!.pid!, stack.s3Pid!];
    await stack.stop();
    await stack.stop();
    expect(pids.map(identityOf)).toEqual([undefined, undefined]);
    expect(existsSync(stack.dataDir)).toBe(false);
  });

  test('keeps topics and objects in its data directory over a stop and a start', async () => {
    const dataDir = await tempDir();
    const first = await startForTest({ brokers: 1, dataDir });
    const topic = await freshTopic({ partitions: 2 }, first.bootstrap);
    await writeFile(join(first.objectsDir, first.s3.bucket, 'kept'), 'content');
    await first.stop();

    const second = await startForTest({ brokers: 1, dataDir });

    expect(await describeTopic(second.bootstrap, topic)).toHaveLength(2);
    expect(await readFile(join(second.objectsDir, second.s3.bucket, 'kept'), 'utf8')).toBe('content');
  });

  test('a setting that Kafka refuses is shown in its own words', async () => {
    const starting = startStack({ brokers: 1, brokerSettings: { 'num.io.threads': '-1' } });

    await expect(starting).rejects.toThrow(/num\.io\.threads/);
  });

  test('a broker that ends while it starts says why and takes the rest with it', async () => {
    const [broker, controller, s3] = await findFreePorts(3);
    const occupant = createServer();
    await once(occupant.listen(broker, LOOPBACK), 'listening');
    onTestFinished(() => void occupant.close());
    const dataDir = await tempDir();

    const starting = startStack({
      brokers: 1,
      dataDir,
      ports: { brokers: [broker!], controllers: [controller!], s3: s3! },
    });

    await expect(starting).rejects.toThrow(
      /^broker 1 is not ready: it ended with exit code 1[^]*Address already in use/,
    );
    expect(await isFree(s3!)).toBe(true);
    expect(await isFree(controller!)).toBe(true);
  });
});
