import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { kafkaTool } from '../../../scripts/stack/kafka-tool.ts';
import { freshPrefix, freshTopic, sharedStack } from '../../support/shared-stack.ts';

const TOPIC_TOOL = 'org.apache.kafka.tools.TopicCommand';

describe('the stack that tests share', () => {
  test('three brokers serve a topic that is replicated over all racks', async () => {
    const { bootstrap, brokers } = sharedStack();
    const topic = await freshTopic({ partitions: 6, settings: { 'max.message.bytes': '2000000' } });

    const { stdout } = await kafkaTool(TOPIC_TOOL, [
      '--bootstrap-server',
      bootstrap.join(','),
      '--describe',
      '--topic',
      topic,
    ]);

    expect(new Set(brokers.map(({ rack }) => rack)).size).toBe(3);
    expect(stdout).toContain('PartitionCount: 6');
    expect(stdout).toContain('ReplicationFactor: 3');
    expect(stdout).toContain('max.message.bytes=2000000');
    expect(stdout).toContain('min.insync.replicas=2');
    expect(stdout.match(/Leader: [123]\t/g)).toHaveLength(6);
  });

  test('a topic puts its leaders where the test wants them', async () => {
    const { bootstrap } = sharedStack();
    const topic = await freshTopic({
      replicaAssignment: [
        [3, 1],
        [2, 3],
      ],
    });

    const { stdout } = await kafkaTool(TOPIC_TOOL, [
      '--bootstrap-server',
      bootstrap[0]!,
      '--describe',
      '--topic',
      topic,
    ]);

    expect(stdout).toMatch(/Partition: 0\tLeader: 3\tReplicas: 3,1/);
    expect(stdout).toMatch(/Partition: 1\tLeader: 2\tReplicas: 2,3/);
  });

  test("lines written by Kafka's own producer are read by its own consumer", async () => {
    const { bootstrap } = sharedStack();
    const topic = await freshTopic();
    const lines = ['first line', 'zweite Zeile: äöü', 'third'];
    const common = ['--bootstrap-server', bootstrap.join(','), '--topic', topic];

    await kafkaTool('org.apache.kafka.tools.ConsoleProducer', common, { stdin: `${lines.join('\n')}\n` });
    const { stdout } = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...common,
      '--from-beginning',
      '--max-messages',
      '3',
      '--group',
      topic,
      '--timeout-ms',
      '30000',
    ]);

    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(lines.toSorted());
  });

  test('the store takes a signed put, keeps it as a plain file, and refuses a wrong key', async () => {
    const { s3, objectsDir } = sharedStack();
    const key = `${freshPrefix()}/object.txt`;
    const put = async (secretAccessKey: string): Promise<unknown> => {
      const client = new S3Client({
        endpoint: s3.endpoint,
        region: s3.region,
        credentials: { accessKeyId: s3.accessKeyId, secretAccessKey },
        forcePathStyle: true,
        maxAttempts: 1,
      });
      try {
        return await client.send(new PutObjectCommand({ Bucket: s3.bucket, Key: key, Body: 'content' }));
      } finally {
        client.destroy();
      }
    };

    await expect(put('not the secret')).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    await put(s3.secretAccessKey);

    expect(await readFile(join(objectsDir, s3.bucket, key), 'utf8')).toBe('content');
  });
});
