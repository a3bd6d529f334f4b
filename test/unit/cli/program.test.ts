import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../../cli/program.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'skald-cli-'));
  mkdirSync(join(dir, 'pipelines'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const AGENT = 'host: web-7\npipelinesDir: pipelines\nclusters: {main: {brokers: [kafka-1:9092]}}\n';
const PIPELINE = 'files: {include: [/var/log/app/*.log]}\nkafka: {topic: access, codec: lz4}\n';
const TRANSPORTER =
  'cluster: {brokers: [kafka-1:9092]}\ntopics: [{topic: access}]\nstore: {type: s3, bucket: logs}\n';

function write(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

async function skald(args: string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    env,
    print: (line: string) => void out.push(line),
    complain: (line: string) => void err.push(line),
  };
  const code = await runCli(args, terminal);
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('check-config of an agent', () => {
  test('valid files: what would run, and 0', async () => {
    const file = write('agent.yaml', AGENT);
    write('pipelines/access-log.yaml', PIPELINE);
    const { code, out, err } = await skald(['check-config', 'agent', '-c', file], { SKALD_RACK: 'az-a' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const fact of [
      'web-7',
      'az-a',
      'kafka-1:9092',
      'access-log',
      '/var/log/app/*.log',
      'topic access',
      'lz4',
      'single-partition, rack: prefer',
      '9464',
    ]) {
      expect(out).toContain(fact);
    }
  });

  test('a rack that is asked for at the start: where, and nobody is asked', async () => {
    const file = write('agent.yaml', `${AGENT}rackFrom: ec2-zone-id\n`);
    write('pipelines/access-log.yaml', PIPELINE);
    // The discard port: whoever asked there would wait or fail.
    const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9' };
    const { code, out, err } = await skald(['check-config', 'agent', '-c', file], env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('rack: asked for at the start (EC2, availability-zone-id)');
  });

  test('every error of every pipeline in full, and 1; the good ones are still shown', async () => {
    const file = write('agent.yaml', AGENT);
    write('pipelines/a.yaml', 'files: {include: [/a]}\nkafka: {topc: t}\n');
    write('pipelines/b.yaml', PIPELINE);
    write('pipelines/c.yaml', '');
    const { code, out, err } = await skald(['check-config', '-c', file]);
    expect(code).toBe(1);
    expect(out).toContain('pipeline b');
    expect(err.split('\n')).toEqual([
      `${join(dir, 'pipelines/a.yaml')} has 2 problems:`,
      expect.stringContaining('a.yaml:2:1: kafka.topic: is missing'),
      expect.stringContaining('a.yaml:2:9: kafka.topc: is not a setting; did you mean topic?'),
      expect.stringContaining('c.yaml:1:1: holds no settings'),
    ]);
  });

  test('a host file with errors: all of them, and 1', async () => {
    const { code, out, err } = await skald([
      'check-config',
      'agent',
      '-c',
      write('agent.yaml', 'rakc: a\nhost: 5\n'),
    ]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/agent\.yaml:\d+:\d+: /g)).toHaveLength(3);
  });

  test('no pipeline yet is said, and no error: the agent would wait for one', async () => {
    const { code, out, err } = await skald(['check-config', 'agent', '-c', write('agent.yaml', AGENT)]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`no pipeline in ${join(dir, 'pipelines')} yet`);
  });

  test('a missing file', async () => {
    const { code, err } = await skald(['check-config', 'agent', '-c', join(dir, 'nope.yaml')]);
    expect({ code, err }).toEqual({ code: 1, err: `${join(dir, 'nope.yaml')}: does not exist` });
  });
});

describe('check-config of a transporter', () => {
  test.each([[['transporter']], [[]]])('a valid file, with kind %j', async (kind) => {
    const { code, out } = await skald(['check-config', ...kind, '-c', write('t.yaml', TRANSPORTER)]);
    expect(code).toBe(0);
    for (const fact of ['topic access', 's3://logs', 'zstd 1', 'by hour']) expect(out).toContain(fact);
  });

  test('an invalid one', async () => {
    const { code, err } = await skald([
      'check-config',
      'transporter',
      '-c',
      write('t.yaml', `${TRANSPORTER}grop: x\n`),
    ]);
    expect(code).toBe(1);
    expect(err).toContain('t.yaml:4:1: grop: is not a setting; did you mean group?');
  });
});

test('credentials are never shown', async () => {
  const sasl = 'sasl: {mechanism: plain, username: writer, password: "${PASSWORD}"}';
  const file = write(
    't.yaml',
    TRANSPORTER.replace('9092]', `9092], ${sasl}`).replace(
      'bucket: logs',
      'bucket: logs, accessKeyId: AK, secretAccessKey: "${PASSWORD}"',
    ),
  );
  const { code, out, err } = await skald(['check-config', '-c', file], { PASSWORD: 'hunter2' });
  expect(code).toBe(0);
  expect(out).toContain('plain as writer');
  expect(out + err).not.toContain('hunter2');
});

describe('agent', () => {
  test('an invalid host file is 2, with its errors', async () => {
    const { code, err } = await skald(['agent', '-c', write('agent.yaml', 'clusters: {}\n')]);
    expect(code).toBe(2);
    expect(err).toContain('clusters: must name at least one Kafka cluster');
  });
});

describe('transporter', () => {
  test('an invalid file is 2, with its errors', async () => {
    const { code, err } = await skald(['transporter', '-c', write('t.yaml', `${TRANSPORTER}x: 1\n`)]);
    expect(code).toBe(2);
    expect(err).toContain('t.yaml:4:1: x: is not a setting');
  });
});

describe('usage', () => {
  test.each([
    [['agnet'], 'Did you mean agent?'],
    [['agent', '--confg', 'x'], 'Did you mean --config?'],
    [['agent', '-c'], 'argument missing'],
    [['check-config', 'cluster'], 'Allowed choices are agent, transporter'],
    [['agent', 'extra'], 'too many arguments'],
    [[], 'Usage: skald'],
  ])('skald %j is 2', async (args, message) => {
    const { code, err } = await skald(args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  test.each([
    [['--help']],
    [['agent', '--help']],
    [['transporter', '--help']],
    [['check-config', '--help']],
    [['version', '--help']],
  ])('skald %j has examples, and is 0', async (args) => {
    const { code, out } = await skald(args);
    expect(code).toBe(0);
    expect(out).toContain('Usage: skald');
    expect(out).toMatch(/Examples?:\n {2}skald /);
  });

  test('version tells skald and node', async () => {
    const { code, out } = await skald(['version']);
    expect(code).toBe(0);
    expect(out).toMatch(/^skald \d+\.\d+\.\d+ \(node \d+\.\d+\.\d+, /);
    expect((await skald(['--version'])).code).toBe(0);
  });
});
