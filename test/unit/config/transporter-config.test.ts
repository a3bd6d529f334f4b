import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  loadTransporterConfig,
  parseTransporterConfig,
} from '../../../shared/config/load-transporter-config.ts';
import { messagesOf } from './messages-of.ts';

const MACHINE = { hostname: 'worker-3.example', cores: 8 };
const HEAD = 'cluster: {brokers: [kafka-1:9092]}\n';
const S3 = 'store: {type: s3, bucket: logs-archive}\n';
const MINIMAL = `${HEAD}topics: [{topic: access}]\n${S3}`;

function parse(text: string, env: Record<string, string> = {}) {
  return parseTransporterConfig('/etc/skald/transporter.yaml', text, env, MACHINE);
}

function withTopics(topics: string, rest = '') {
  return `${HEAD}topics:\n${topics.replace(/^/gm, '  ')}\n${S3}${rest}`;
}

function withStore(store: string) {
  return `${HEAD}topics: [{topic: access}]\nstore: {${store}}\n`;
}

test('three lines are enough; everything else has the default that the design names', () => {
  const objects = {
    prefix: 'logs',
    template: '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}',
    bucket: 'hour',
    timeZone: 'UTC',
    time: { type: 'timestamp' },
    format: 'lines',
    columns: [],
    codec: 'zstd',
  };
  const chunk = { maxBytes: 67_108_864, maxAgeMs: 300_000, bucketGraceMs: 30_000 };
  expect(parse(MINIMAL)).toEqual({
    cluster: {
      brokers: ['kafka-1:9092'],
      clientId: 'skald',
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      metadataMaxAgeMs: 60_000,
    },
    group: 'skald-transporter',
    member: 'worker-3.example-transporter',
    topics: [{ topic: 'access', ...objects, level: 1, chunk, success: true }],
    store: {
      type: 's3',
      bucket: 'logs-archive',
      region: 'us-east-1',
      forcePathStyle: false,
      multipartThresholdBytes: 16_777_216,
      partBytes: 8_388_608,
      maxConcurrentUploads: 4,
      requestTimeoutMs: 60_000,
      maxAttempts: 5,
    },
    objects,
    chunk,
    fetch: {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 33_554_432,
      maxPartitionBytes: 4_194_304,
      isolation: 'read_committed',
    },
    startFrom: 'earliest',
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 3000,
    rebalanceTimeoutMs: 60_000,
    leaveOnStop: false,
    // Eight cores, and memory for five threads.
    limits: { memoryBytes: 536_870_912, decodeThreads: 5 },
    status: { host: '127.0.0.1', port: 9465 },
    shutdownTimeoutMs: 30_000,
    log: { level: 'info' },
  });
});

describe('topics', () => {
  test('what a topic says goes before objects and chunk, key by key', () => {
    const config = parse(
      withTopics(
        '- {topic: a}\n- {topic: b, prefix: cold, codec: gzip, bucket: day, chunk: {maxAgeMs: 1h}}',
        'objects: {level: 9}\n',
      ),
    );
    expect(config.topics[0]).toMatchObject({ prefix: 'logs', codec: 'zstd', level: 9, bucket: 'hour' });
    expect(config.topics[1]).toMatchObject({
      prefix: 'cold',
      codec: 'gzip',
      level: 6,
      bucket: 'day',
      chunk: { maxBytes: 67_108_864, maxAgeMs: 3_600_000, bucketGraceMs: 30_000 },
    });
  });

  const shared = 'template: "{prefix}/{yyyy}{mm}{dd}{hh}/{topic}-{partition}-{firstOffset}"';
  const deep = 'template: "{prefix}/{topic}/{yyyy}{mm}{dd}{hh}/{partition}/{firstOffset}.{ext}"';

  test.each([
    ['a folder of several topics', shared],
    ['a folder of one partition', deep],
  ])('%s gets no _SUCCESS, without a word', (_, template) => {
    expect(parse(withTopics(`- {topic: a, ${template}}`)).topics[0]).toMatchObject({ success: false });
  });

  test.each([
    ['of several topics', shared, '{topic} must be before the last /'],
    ['of one partition', deep, '{partition} must be behind the last /'],
  ])('_SUCCESS in a folder %s is refused where it is asked for', (_, template, message) => {
    const topic = withTopics(`- {topic: a, success: true, ${template}}`);
    expect(() => parse(topic)).toThrow(`topics[0].success: its buckets have no folder of their own`);
    expect(() => parse(topic)).toThrow(message);
    expect(() => parse(withTopics(`- {topic: a, ${template}}`, 'success: true\n'))).toThrow(message);
  });

  test('_SUCCESS can be left out for all topics or for one', () => {
    const config = parse(withTopics('- {topic: a}\n- {topic: b, success: true}', 'success: false\n'));
    expect(config.topics.map(({ success }) => success)).toEqual([false, true]);
  });

  test('everything is frozen', () => {
    const config = parse(MINIMAL);
    expect(
      [config, config.topics, config.topics[0], config.topics[0]?.chunk].every((part) =>
        Object.isFrozen(part),
      ),
    ).toBe(true);
  });

  test.each([
    ['none', `${HEAD}topics: []\n${S3}`, 'topics: must name at least one topic'],
    ['one twice', withTopics('- {topic: a}\n- {topic: b}\n- {topic: a}'), 'topics[2].topic: is listed twice'],
    [
      'a level for lz4',
      withTopics('- {topic: a, codec: lz4, level: 3}'),
      'topics[0].level: codec lz4 has no levels',
    ],
    [
      'a level for the codec of objects',
      withTopics('- {topic: a, level: 3}', 'objects: {codec: none}\n'),
      'topics[0].level: codec none has no levels',
    ],
    [
      'a bucket finer than the template',
      withTopics('- {topic: a, bucket: minute}'),
      'topics[0].bucket: objects.template does not fit it: lacks {mi}',
    ],
    [
      'a template without offset',
      withTopics('- {topic: a, template: "{topic}/{yyyy}{mm}{dd}{hh}/{partition}"}'),
      'topics[0].template: lacks {firstOffset}',
    ],
    [
      'an unknown key',
      withTopics('- {topic: a, chunks: {}}'),
      'topics[0].chunks: is not a setting; did you mean chunk?',
    ],
    [
      'a prefix with a slash at its end',
      withTopics('- {topic: a, prefix: cold/}'),
      'topics[0].prefix: must be folders separated by /',
    ],
  ])('%s is refused', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('names of files that fit the 255 bytes of a file system to the byte, and some that do not', () => {
    // "-" + 10 digits + "-" + 19 digits + "-" + 12 digits of a spare name, and `..`, `.meta.json`, `.part-` and a UUID.
    const left = 255 - 44 - 54;
    const text = (length: number, store: string): string =>
      `${HEAD}topics: [{topic: ${'t'.repeat(length)}}]\nstore: {${store}}\n` +
      'objects: {template: "{yyyy}{mm}{dd}{hh}/{topic}-{partition}-{firstOffset}"}\n';
    const local = 'type: local, directory: /srv/objects';
    expect(parse(text(left, local)).topics[0]?.topic).toHaveLength(left);
    expect(() => parse(text(left + 1, local))).toThrow('could take 256 bytes');
    expect(parse(text(left + 1, 'type: s3, bucket: logs-archive')).topics[0]?.topic).toHaveLength(left + 1);
  });

  test('a prefix with dots in its names, and prefixes that lead elsewhere', () => {
    for (const prefix of ['..', '../up', 'a/../b', './a', 'a/.']) {
      expect(() => parse(withTopics(`- {topic: a, prefix: "${prefix}"}`))).toThrow(
        'topics[0].prefix: must be folders separated by /, of characters that are safe in S3 keys, none of them . or ..',
      );
    }
    expect(parse(withTopics('- {topic: a, prefix: a.b/..c/.d.}')).topics[0]?.prefix).toBe('a.b/..c/.d.');
  });

  test('a prefix that fits the 1,024 bytes of an S3 key to the byte, and one that does not', () => {
    // logs/t/2025/… : the rest of the longest name is "/t/yyyymmddhh/" + 10 digits + "-" + 19 digits +
    // "-" + 12 digits of a spare name = 57 bytes.
    const template = 'template: "{prefix}/{topic}/{yyyy}{mm}{dd}{hh}/{partition}-{firstOffset}"';
    const text = (length: number) => withTopics(`- {topic: t, prefix: ${'p'.repeat(length)}, ${template}}`);
    expect(parse(text(1024 - 57)).topics[0]?.prefix).toHaveLength(967);
    expect(() => parse(text(1024 - 56))).toThrow(
      'topics[0].topic: the names of its objects could be longer than the 1024 bytes',
    );
  });

  test('two topics whose objects would share names are refused', () => {
    const template = 'template: "{prefix}-{topic}/{yyyy}{mm}{dd}{hh}/{partition}-{firstOffset}"';
    const text = withTopics(
      '- {topic: b, prefix: logs-a}\n- {topic: a-b, prefix: logs}',
      `objects: {${template}}\n`,
    );
    expect(messagesOf(() => parse(text))).toEqual([
      expect.stringContaining('topics[1].topic: its objects would get the names of those of topic b'),
    ]);
  });
});

describe('stores', () => {
  test('a folder, relative to the file', () => {
    expect(parse(withStore('type: local, directory: out')).store).toEqual({
      type: 'local',
      directory: '/etc/skald/out',
    });
  });

  test('keys from the environment', () => {
    const store = 'type: s3, bucket: logs, accessKeyId: "${S3_KEY}", secretAccessKey: "${S3_SECRET}"';
    expect(parse(withStore(store), { S3_KEY: 'id', S3_SECRET: 'secret' }).store).toMatchObject({
      accessKeyId: 'id',
      secretAccessKey: 'secret',
    });
  });

  test.each([
    ['type: gcs, bucket: b', 'store.type: must be one of s3, local, not gcs'],
    ['bucket: logs', 'store.type: is missing; it must be one of s3, local'],
    ['type: s3', 'store.bucket: is missing'],
    ['type: s3, bucket: Logs_1', 'store.bucket: must be an S3 bucket name'],
    ['type: s3, bucket: logs, directory: /x', 'store.directory: is not a setting'],
    ['type: local, directory: /x, bucket: b', 'store.bucket: is not a setting; there are type, directory'],
    ['type: s3, bucket: logs, accessKeyId: a', 'store: accessKeyId and secretAccessKey belong together'],
    ['type: s3, bucket: logs, partBytes: 4MiB', 'store.partBytes: must be between 5242880 and'],
    ['type: s3, bucket: logs, kmsKeyId: k', 'store.kmsKeyId: needs serverSideEncryption'],
    [
      'type: s3, bucket: logs, kmsKeyId: k, serverSideEncryption: AES256',
      'store.kmsKeyId: needs serverSideEncryption',
    ],
    ['type: s3, bucket: logs, endpoint: "127.0.0.1:9000"', 'store.endpoint: must be a URL'],
    ['type: s3, bucket: logs, acl: open', 'store.acl: must be one of private'],
    ['type: s3, bucket: logs, tags: {a: 1}', 'store.tags.a: must be text, not a number; put it in quotes'],
  ])('%s is refused', (store, message) => {
    expect(() => parse(withStore(store))).toThrow(message);
  });
});

describe('impossible combinations', () => {
  test.each([
    [
      'heartbeats too rare',
      'sessionTimeoutMs: 9s\nheartbeatIntervalMs: 3s\n',
      'heartbeatIntervalMs: must be less than a third',
    ],
    [
      'a partition larger than the fetch',
      'fetch: {maxBytes: 1MiB}\n',
      'fetch.maxPartitionBytes: must not be more than',
    ],
    ['a fetch that never fills', 'fetch: {minBytes: 64MiB}\n', 'fetch.minBytes: must not be more than'],
    [
      'a fetch that outwaits its request',
      'fetch: {maxWaitMs: 30s}\n',
      'fetch.maxWaitMs: must be less than cluster.requestTimeoutMs',
    ],
    [
      'a fetch that does not fit the memory',
      'limits: {memoryBytes: 256MiB}\nfetch: {maxBytes: 257MiB}\n',
      'limits.memoryBytes: must hold at least',
    ],
    ['rack and rackFile', 'rack: a\nrackFile: b\n', 'rackFile: rack and rackFile exclude each other'],
    ['rack and rackFrom', 'rack: a\nrackFrom: ec2\n', 'rackFrom: rack and rackFrom exclude each other'],
    [
      'a zone that does not exist',
      'objects: {timeZone: Europe/Atlantis}\n',
      'objects.timeZone: must be UTC or',
    ],
    ['a template too coarse', 'objects: {bucket: minute}\n', 'objects.template: lacks {mi}'],
    ['a level for none', 'objects: {codec: none, level: 1}\n', 'objects.level: codec none has no levels'],
  ])('%s', (_, lines, message) => {
    expect(() => parse(`${MINIMAL}${lines}`)).toThrow(message);
  });

  test('errors of different blocks come together', () => {
    const messages = messagesOf(() =>
      parse(`${MINIMAL}sessionTimeoutMs: 6s\nrack: a\nrackFile: b\nobjects: {codec: lz4, level: 2, x: 1}\n`),
    );
    expect(messages.map((message) => message.split(': ')[1])).toEqual([
      // Not in the file: its default breaks the rule, and the place is the top of the file.
      'heartbeatIntervalMs',
      'rackFile',
      'objects.level',
      'objects.x',
    ]);
  });
});

test('a named zone and a minute bucket with its template', () => {
  const config = parse(
    `${MINIMAL}objects: {timeZone: Europe/Berlin, bucket: minute, template: "{topic}/{yyyy}{mm}{dd}/{hh}{mi}/{partition}-{firstOffset}"}\n`,
  );
  expect(config.objects).toMatchObject({ timeZone: 'Europe/Berlin', bucket: 'minute' });
});

test('the member is named after the host and the file, so that two workers of one host differ', () => {
  const dir = mkdtempSync(join(tmpdir(), 'skald-transporter-'));
  try {
    writeFileSync(join(dir, 'worker 2.yaml'), MINIMAL);
    expect(loadTransporterConfig(join(dir, 'worker 2.yaml'), {}, MACHINE).member).toBe(
      'worker-3.example-worker-2',
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the password in the file of the fleet comes from a folder beside it', () => {
  expect(
    messagesOf(() =>
      parse(MINIMAL.replace('9092]', '9092], sasl: {mechanism: plain, username: u, passwordFile: nope}')),
    ),
  ).toEqual([expect.stringContaining('cluster.sasl.passwordFile: file /etc/skald/nope does not exist')]);
});
