import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadAgentConfig, parseAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { messagesOf } from './messages-of.ts';

const MACHINE = { hostname: 'web-7', cores: 8 };
const MINIMAL = 'clusters:\n  main:\n    brokers: [kafka-1:9092]\n';

function parse(text: string, env: Record<string, string> = {}) {
  return parseAgentConfig('/etc/skald/agent.yaml', text, env, MACHINE);
}

function cluster(lines: string) {
  return `clusters:\n  main:\n    brokers: [kafka-1:9092]\n${lines.replace(/^/gm, '    ')}\n`;
}

test('three lines are enough; everything else has the default that the design names', () => {
  expect(parse(MINIMAL)).toEqual({
    host: 'web-7',
    stateDir: '/var/lib/skald',
    pipelinesDir: '/etc/skald/pipelines',
    clusters: {
      main: {
        brokers: ['kafka-1:9092'],
        clientId: 'skald',
        connectTimeoutMs: 10_000,
        requestTimeoutMs: 30_000,
        metadataMaxAgeMs: 60_000,
      },
    },
    status: { host: '127.0.0.1', port: 9464 },
    statusFile: true,
    limits: { memoryBytes: 134_217_728, encodeThreads: 1, maxOpenFiles: 4096, maxWatchedDirectories: 8192 },
    journal: { fsync: 'interval', fsyncIntervalMs: 1000 },
    reloadIntervalMs: 5000,
    shutdownTimeoutMs: 30_000,
    log: { level: 'info' },
  });
});

test('the configuration is frozen at every level', () => {
  const config = parse(MINIMAL);
  const frozen = [
    config,
    config.clusters,
    config.clusters['main'],
    config.clusters['main']?.brokers,
    config.limits,
  ];
  expect(frozen.map((part) => Object.isFrozen(part))).toEqual([true, true, true, true, true]);
});

test('sizes and durations are read as numbers and as text', () => {
  const config = parse(
    `${MINIMAL}limits: {memoryBytes: 64MiB}\nshutdownTimeoutMs: 1m\njournal: {fsyncIntervalMs: 250}\n`,
  );
  expect(config.limits.memoryBytes).toBe(67_108_864);
  expect(config.shutdownTimeoutMs).toBe(60_000);
  expect(config.journal.fsyncIntervalMs).toBe(250);
});

test('relative paths start from the folder of the file', () => {
  const config = parse(`${MINIMAL}stateDir: state\npipelinesDir: ../pipelines\n`);
  expect(config.stateDir).toBe('/etc/skald/state');
  expect(config.pipelinesDir).toBe('/etc/pipelines');
});

test('the status server can be off', () => {
  expect(parse(`${MINIMAL}status: false\n`).status).toBe(false);
});

describe('errors', () => {
  test('all of a file at once, in its order, each with its place, its key and what would be right', () => {
    const text = [
      'clusters:', // 1
      '  main:', // 2
      '    broker: [kafka-1:9092]', // 3
      '    connectTimeoutMs: soon', // 4
      'limits:', // 5
      '  memorBytes: 64MiB', // 6
      '  encodeThreads: "2"', // 7
      'journal:', // 8
      '  fsync: allways', // 9
      'lingerMs: 5', // 10
      'log:', // 11
      'status: yes', // 12
      'host: 17', // 13
    ].join('\n');
    const file = '/etc/skald/agent.yaml';
    expect(messagesOf(() => parse(text))).toEqual([
      `${file}:2:3: clusters.main.brokers: is missing; it must be a list, one item to a line that begins with -`,
      `${file}:3:5: clusters.main.broker: is not a setting; did you mean brokers?`,
      `${file}:4:23: clusters.main.connectTimeoutMs: must be a duration in milliseconds, such as 5000 or 5s`,
      `${file}:6:3: limits.memorBytes: is not a setting; did you mean memoryBytes?`,
      `${file}:7:18: limits.encodeThreads: must be a whole number from 1 to 64, not the text 2`,
      `${file}:9:10: journal.fsync: must be one of always, interval, never, not allways; did you mean always?`,
      expect.stringContaining(`${file}:10:1: lingerMs: is not a setting; there are host, rack, `),
      `${file}:11:5: log: has no value; it must be a block with level`,
      `${file}:12:9: status: must be false, or a block with host, port, not yes`,
      `${file}:13:7: host: must be text, not a number; put it in quotes`,
    ]);
  });

  test('one problem is one line, with its place in the fields of the error', () => {
    expect(() => parse(`${MINIMAL}limits: {maxOpenFiles: 1}\n`)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message:
          '/etc/skald/agent.yaml:4:24: limits.maxOpenFiles: must be a whole number from 16 to 1000000, not 1',
        where: {
          file: '/etc/skald/agent.yaml',
          line: 4,
          column: 24,
          key: 'limits.maxOpenFiles',
          problems: 1,
        },
      }),
    );
  });

  test.each([
    ['no cluster', 'clusters: {}\n', 'clusters: must name at least one Kafka cluster'],
    [
      'no broker',
      'clusters: {main: {brokers: []}}\n',
      'clusters.main.brokers: must name at least one broker',
    ],
    ['a broker without port', 'clusters: {main: {brokers: [kafka-1]}}\n', 'brokers[0]: must be host:port'],
    [
      'a port out of range',
      'clusters: {main: {brokers: ["kafka-1:65536"]}}\n',
      'brokers[0]: must be host:port',
    ],
    [
      'a broker as URL',
      'clusters: {main: {brokers: ["http://kafka-1:9092"]}}\n',
      'brokers[0]: must be host:port',
    ],
    ['a bad cluster name', 'clusters: {"a b": {brokers: ["a:1"]}}\n', 'a cluster name must be letters'],
    ['a list at the top', '- a\n', 'must be a block with host, '],
    [
      'a size below its range',
      `${MINIMAL}limits: {memoryBytes: 1MiB}\n`,
      'limits.memoryBytes: must be between 8388608 and',
    ],
    [
      'rack and rackFile',
      `${MINIMAL}rack: a\nrackFile: /b\n`,
      'rackFile: rack and rackFile exclude each other',
    ],
    [
      'rack and rackFrom',
      `${MINIMAL}rack: a\nrackFrom: ec2\n`,
      'rackFrom: rack and rackFrom exclude each other',
    ],
    [
      'rackFile and rackFrom',
      `${MINIMAL}rackFile: /b\nrackFrom: ec2\n`,
      'rackFrom: rackFile and rackFrom exclude each other',
    ],
    ['another cloud', `${MINIMAL}rackFrom: gce\n`, 'rackFrom: must be one of ec2, ec2-zone-id'],
    [
      'a setting of another block',
      `${MINIMAL}memoryBytes: 64MiB\n`,
      'memoryBytes: is not a setting here; it belongs into limits',
    ],
    [
      'certFile without keyFile',
      cluster('tls: {certFile: /a.pem}'),
      'clusters.main.tls: certFile and keyFile belong together',
    ],
    ['an unknown TLS key', cluster('tls: {ca: /a.pem}'), 'clusters.main.tls.ca: is not a setting'],
    ['TLS as text', cluster('tls: on'), 'clusters.main.tls: must be true or false, or a block with caFile'],
    [
      'no password',
      cluster('sasl: {mechanism: plain, username: u}'),
      'give exactly one of password and passwordFile',
    ],
    [
      'an unknown mechanism',
      cluster('sasl: {mechanism: gssapi, username: u, password: p}'),
      'one of plain, scram-sha-256',
    ],
  ])('%s', (_, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });

  test('an unknown key in a block does not hide a rule that the block breaks', () => {
    const messages = messagesOf(() => parse(`${MINIMAL}rack: a\nrackFile: /b\nracks: c\n`));
    expect(messages).toEqual([
      expect.stringContaining('rackFile: rack and rackFile exclude each other'),
      expect.stringContaining('racks: is not a setting; did you mean rack?'),
    ]);
  });

  test('a value from the environment is never shown', () => {
    const text = `${MINIMAL}log: {level: "\${LEVEL}"}\n`;
    const [message] = messagesOf(() => parse(text, { LEVEL: 'hunter2' }));
    expect(message).toContain(
      'log.level: must be one of trace, debug, info, warn, error; the environment gave',
    );
    expect(message).not.toContain('hunter2');
  });

  test('a missing variable is reported once, beside the other errors', () => {
    const text = `${cluster('sasl: {mechanism: "${MECHANISM}", username: u, password: "${KAFKA_PASSWORD}"}')}host: 1\n`;
    expect(messagesOf(() => parse(text))).toEqual([
      expect.stringContaining('clusters.main.sasl.mechanism: environment variable MECHANISM is not set'),
      expect.stringContaining('clusters.main.sasl.password: environment variable KAFKA_PASSWORD is not set'),
      expect.stringContaining('host: must be text'),
    ]);
  });
});

describe('brokers', () => {
  test.each(['kafka-1.example.com:9092', '10.0.0.7:9093', '[2001:db8::7]:9092', 'localhost:1'])(
    '%s',
    (address) => {
      expect(parse(`clusters: {main: {brokers: ["${address}"]}}\n`).clusters['main']?.brokers).toEqual([
        address,
      ]);
    },
  );
});

describe('files that the host file names', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'skald-agent-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function load(text: string, env: Record<string, string> = {}) {
    writeFileSync(join(dir, 'agent.yaml'), text);
    return loadAgentConfig(join(dir, 'agent.yaml'), env, MACHINE);
  }

  test('the password comes from its file, without the line break', () => {
    writeFileSync(join(dir, 'password'), ' s3cret \n');
    const config = load(cluster('sasl: {mechanism: scram-sha-512, username: u, passwordFile: password}'));
    expect(config.clusters['main']?.sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'u',
      password: ' s3cret ',
    });
  });

  test.each([
    ['passwordFile', 'sasl: {mechanism: plain, username: u, passwordFile: nope}', 'sasl.passwordFile'],
    ['caFile', 'tls: {caFile: nope}', 'tls.caFile'],
  ])('a %s that is not there is an error at its key', (_, lines, key) => {
    expect(messagesOf(() => load(cluster(lines)))).toEqual([
      expect.stringContaining(`clusters.main.${key}: file ${join(dir, 'nope')} does not exist`),
    ]);
  });

  test('an empty password file is an error', () => {
    writeFileSync(join(dir, 'password'), '\n');
    expect(() => load(cluster('sasl: {mechanism: plain, username: u, passwordFile: password}'))).toThrow(
      'is empty',
    );
  });

  test('TLS: true, false, and files made absolute', () => {
    for (const name of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(join(dir, name), 'pem');
    expect(load(cluster('tls: true')).clusters['main']?.tls).toBe(true);
    expect(load(cluster('tls: false')).clusters['main']).not.toHaveProperty('tls');
    expect(
      load(cluster('tls: {caFile: ca.pem, certFile: cert.pem, keyFile: key.pem}')).clusters['main']?.tls,
    ).toEqual({
      caFile: join(dir, 'ca.pem'),
      certFile: join(dir, 'cert.pem'),
      keyFile: join(dir, 'key.pem'),
      rejectUnauthorized: true,
    });
  });

  test('the rack comes from SKALD_RACK, else from the file, else from the rack file, else there is none', () => {
    writeFileSync(join(dir, 'zone'), 'az-c\n');
    expect(load(`${MINIMAL}rack: az-a\n`, { SKALD_RACK: 'az-b' }).rack).toBe('az-b');
    expect(load(`${MINIMAL}rack: az-a\n`, { SKALD_RACK: '' }).rack).toBe('az-a');
    expect(load(`${MINIMAL}rackFile: zone\n`).rack).toBe('az-c');
    expect(load(MINIMAL)).not.toHaveProperty('rack');
  });

  test('rackFrom says where to ask, unless SKALD_RACK tells the rack', () => {
    expect(load(`${MINIMAL}rackFrom: ec2\n`)).toMatchObject({
      rackFrom: { endpoint: 'http://169.254.169.254', item: 'availability-zone' },
    });
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://[fd00:ec2::254]' };
    expect(load(`${MINIMAL}rackFrom: ec2-zone-id\n`, env)).toMatchObject({
      rackFrom: { endpoint: 'http://[fd00:ec2::254]', item: 'availability-zone-id' },
    });
    const told = load(`${MINIMAL}rackFrom: ec2\n`, { SKALD_RACK: 'az-b' });
    expect(told.rack).toBe('az-b');
    expect(told).not.toHaveProperty('rackFrom');
  });

  test.each(['169.254.169.254', 'https://169.254.169.254', 'file:///etc/zone'])(
    'an endpoint of instance metadata that is no http URL is an error: %s',
    (AWS_EC2_METADATA_SERVICE_ENDPOINT) => {
      const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT };
      expect(() => load(`${MINIMAL}rackFrom: ec2\n`, env)).toThrow(
        'AWS_EC2_METADATA_SERVICE_ENDPOINT must be',
      );
      expect(load(MINIMAL, env)).not.toHaveProperty('rackFrom');
    },
  );

  test('a rack file that is missing or holds several words is an error at rackFile', () => {
    writeFileSync(join(dir, 'zone'), 'two words');
    expect(() => load(`${MINIMAL}rackFile: zone\n`)).toThrow('rackFile: its content must be one word');
    expect(() => load(`${MINIMAL}rackFile: nope\n`)).toThrow('rackFile: file');
    expect(() => load(MINIMAL, { SKALD_RACK: 'two words' })).toThrow('SKALD_RACK must be one word');
  });

  test('a file that is not there is CONFIG_UNREADABLE', () => {
    expect(() => loadAgentConfig(join(dir, 'nope.yaml'), {}, MACHINE)).toThrow(
      expect.objectContaining({ code: 'CONFIG_UNREADABLE' }),
    );
  });
});
