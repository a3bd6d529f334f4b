import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { loadPipelineFile, parsePipeline } from '../../../shared/config/load-pipeline.ts';
import { loadPipelines } from '../../../shared/config/load-pipelines.ts';
import { messagesOf } from './messages-of.ts';

const ONE = agentWith('main');
const MINIMAL = 'files: {include: [/var/log/app/*.log]}\nkafka: {topic: access}\n';

function agentWith(...clusters: string[]) {
  const lines = clusters.map((name) => `  ${name}: {brokers: [kafka-1:9092]}`);
  return parseAgentConfig('/etc/skald/agent.yaml', `clusters:\n${lines.join('\n')}\n`, {});
}

function parse(text: string, agent = ONE) {
  return parsePipeline('/etc/skald/pipelines/access-log.yaml', text, agent, {});
}

/** JSON has no \\0 and \\x. */
function unescaped(yaml: string): string {
  return yaml.replace('\\0', '\\u0000').replace('\\x', '\\u00');
}

function kafka(settings: string) {
  return `files: {include: [/a]}\nkafka: {topic: t, ${settings}}\n`;
}

test('two lines are enough; everything else has its default', () => {
  expect(parse(MINIMAL)).toEqual({
    name: 'access-log',
    file: '/etc/skald/pipelines/access-log.yaml',
    files: { include: ['/var/log/app/*.log'], exclude: [] },
    startAt: 'beginning',
    framing: {
      format: { type: 'newline', delimiter: '\n', stripCarriageReturn: false, encoding: 'bytes' },
      maxRecordBytes: 1_024_000,
      oversize: 'split',
    },
    discovery: {
      watch: 'auto',
      scanIntervalMs: 1000,
      pollIntervalMs: 250,
      closeIdleAfterMs: 300_000,
      closeRotatedAfterMs: 5000,
      partialLineTimeoutMs: 5000,
    },
    limits: {},
    kafka: {
      cluster: 'main',
      topic: 'access',
      codec: 'zstd',
      level: 1,
      batchBytes: 4_194_304,
      lingerMs: 200,
      maxInFlight: 5,
      requestTimeoutMs: 30_000,
    },
    partitioner: { type: 'single-partition', rack: 'prefer', stickyMs: 30_000, stickyBytes: 67_108_864 },
  });
});

test('the longest record and its envelope fit what a topic takes by default', () => {
  // message.max.bytes of Apache Kafka; 61 bytes of batch header by the protocol guide; zstd's worst case by its
  // ZSTD_COMPRESSBOUND, n + n/256; the rest is left for varints and provenance.
  const { maxRecordBytes } = parse(MINIMAL).framing;
  expect(maxRecordBytes + Math.ceil(maxRecordBytes / 256) + 61 + 16_384).toBeLessThan(1_048_588);
});

test('a pipeline is frozen at every level', () => {
  const pipeline = parse(MINIMAL);
  expect([pipeline, pipeline.files.include, pipeline.kafka].every((part) => Object.isFrozen(part))).toBe(
    true,
  );
});

describe('levels and codecs', () => {
  test.each([
    ['codec: zstd', 1],
    ['codec: zstd, level: 19', 19],
    ['codec: gzip', 6],
    ['codec: gzip, level: 9', 9],
    ['codec: lz4', undefined],
    ['codec: none', undefined],
  ])('%s gives level %s', (settings, level) => {
    expect(parse(kafka(settings)).kafka.level).toBe(level);
  });

  test.each([
    ['codec: lz4, level: 3', 'kafka.level: codec lz4 has no levels'],
    ['codec: none, level: 1', 'kafka.level: codec none has no levels'],
    ['codec: gzip, level: 10', 'kafka.level: must be between 1 and 9 with codec gzip'],
    ['level: 20', 'kafka.level: must be a whole number from 1 to 19, not 20'],
    ['codec: snappy', 'kafka.codec: must be one of zstd, lz4, gzip, none'],
    ['codec: zstd, level: 1.5', 'kafka.level: must be a whole number'],
    ['maxInFlight: 6', 'kafka.maxInFlight: must be a whole number from 1 to 5'],
    ['maxInFlight: 0', 'kafka.maxInFlight: must be a whole number from 1 to 5'],
    ['batchBytes: 128MiB', 'kafka.batchBytes: must be between'],
    ['lingerMs: -1', 'kafka.lingerMs: must be a duration'],
    ['cluster: other', 'kafka.cluster: must be a cluster of the host file: main'],
  ])('%s is refused', (settings, message) => {
    expect(() => parse(kafka(settings))).toThrow(message);
  });
});

describe('framing', () => {
  const framing = (settings: string) => parse(`${MINIMAL}framing: {${settings}}\n`).framing;

  test('each type has its own settings and defaults', () => {
    expect(framing('delimiter: "\\r\\n", encoding: utf-16').format).toEqual({
      type: 'newline',
      delimiter: '\r\n',
      stripCarriageReturn: false,
      encoding: 'utf-16',
    });
    expect(framing("type: multiline, startPattern: '^\\d{4}-'")).toMatchObject({
      format: { type: 'multiline', matches: 'start', pattern: '^\\d{4}-', delimiter: '\n' },
      recordTimeoutMs: 2_000,
    });
    expect(framing("type: multiline, continuePattern: '^\\s', timeoutMs: 5s")).toMatchObject({
      format: { matches: 'continue', pattern: '^\\s' },
      recordTimeoutMs: 5_000,
    });
    expect(framing('type: length-prefixed').format).toEqual({
      type: 'length-prefixed',
      prefixSize: 4,
      byteOrder: 'big-endian',
      maxFrameBytes: 67_108_864,
    });
  });

  test.each(['"\\0"', '"\\r\\n"', '"\\x1e"', '"€€€€€"'])('delimiter %s', (delimiter) => {
    expect(framing(`delimiter: ${delimiter}`).format).toMatchObject({
      delimiter: JSON.parse(unescaped(delimiter)),
    });
  });

  test.each([
    ['delimiter: ""', 'framing.delimiter: must not be empty'],
    ['delimiter: "12345678901234567"', 'framing.delimiter: must be at most 16 bytes of UTF-8'],
    ['delimiter: 0', 'framing.delimiter: must be text, not a number; put it in quotes'],
    ['encoding: utf-8', 'framing.encoding: must be one of bytes, utf-16, utf-16le, utf-16be'],
    ['type: multiline', 'framing.startPattern: is missing; multiline needs startPattern or continuePattern'],
    [
      'type: multiline, startPattern: a, continuePattern: b',
      'framing.continuePattern: must not be there beside startPattern',
    ],
    [
      "type: multiline, startPattern: '^('",
      'framing.startPattern: must be a regular expression of JavaScript',
    ],
    [
      "type: multiline, startPattern: '^(?!x)'",
      'framing.startPattern: must be a pattern that can be matched in linear time',
    ],
    [
      'startPattern: a',
      'framing.startPattern: is not for type newline, only for multiline: remove it, or change the type',
    ],
    ['timeoutMs: 5s', 'framing.timeoutMs: is not for type newline, only for multiline'],
    [
      'type: length-prefixed, delimiter: x',
      'framing.delimiter: is not for type length-prefixed, only for newline and multiline',
    ],
    ['type: multiline, startPattern: a, prefixSize: 4', 'framing.prefixSize: is not for type multiline'],
    [
      'type: multiline, startPattern: a, delimiter: "\\n\\n"',
      'framing.delimiter: must not end as it begins, with multiline',
    ],
    ['type: length-prefixed, prefixSize: 3', 'framing.prefixSize: must be 2, or 4, or 8'],
  ])('%s is refused', (settings, message) => {
    expect(() => framing(settings)).toThrow(message);
  });
});

describe('partitioners', () => {
  const partitioner = (settings: string) => parse(`${MINIMAL}partitioner: {${settings}}\n`).partitioner;

  test('each type has its own settings and defaults', () => {
    expect(partitioner('stickyMs: 5s')).toEqual({
      type: 'single-partition',
      rack: 'prefer',
      stickyMs: 5_000,
      stickyBytes: 67_108_864,
    });
    expect(partitioner('type: round-robin')).toEqual({ type: 'round-robin', rack: 'prefer' });
    expect(partitioner('type: keyed, keyField: user.id')).toMatchObject({ key: { field: 'user.id' } });
    expect(partitioner("type: keyed, keyPattern: '^a'")).toMatchObject({ key: { pattern: '^a' } });
    expect(partitioner('type: round-robin, rack: require')).toEqual({ type: 'round-robin', rack: 'require' });
  });

  test.each([
    ['type: round-robin, stickyMs: 5s', 'partitioner.stickyMs: round-robin stays on no partition'],
    ['type: round-robin, stickyBytes: 1MiB', 'partitioner.stickyBytes: round-robin stays on no partition'],
    ['type: sticky', 'partitioner.type: must be one of single-partition, round-robin'],
    ['type: keyed', 'partitioner.keyPattern: is missing; keyed needs keyPattern or keyField'],
    ['type: keyed, keyField: a, keyPattern: b', 'partitioner.keyField: must not be there beside keyPattern'],
    ['type: keyed, keyField: a..b', 'partitioner.keyField: must be names with dots between them'],
    ['type: keyed, keyPattern: "(a"', 'partitioner.keyPattern: must be a regular expression'],
    ['keyField: a', 'partitioner.keyField: single-partition looks for no keys'],
    ['type: round-robbin', 'did you mean round-robin?'],
    ['stickyMs: soon', 'partitioner.stickyMs: must be a duration'],
    ['stickyBytes: 1', 'partitioner.stickyBytes: must be between 1024'],
    ['rack: maybe', 'partitioner.rack: must be one of prefer, require, ignore'],
  ])('%s is refused', (settings, message) => {
    expect(() => partitioner(settings)).toThrow(message);
  });

  test('all mistakes of the block come at once', () => {
    expect(
      messagesOf(() => partitioner('type: round-robin, stickyMs: 5s, stickyBytes: 1MiB, rack: x')),
    ).toEqual([
      expect.stringContaining('partitioner.stickyMs: round-robin'),
      expect.stringContaining('partitioner.stickyBytes: round-robin'),
      expect.stringContaining('partitioner.rack: must be one of'),
    ]);
  });
});

test('a limit of bytes for each second, and of those at once', () => {
  const { limits } = parse(`${MINIMAL}limits: {bytesPerSecond: 5MiB, burstBytes: 20MiB}\n`);
  expect(limits).toEqual({ bytesPerSecond: 5_242_880, burstBytes: 20_971_520 });
});

describe('other impossible settings', () => {
  test.each([
    [
      'a relative glob',
      'files: {include: [logs/*.log]}\nkafka: {topic: t}\n',
      'files.include[0]: must be an absolute path',
    ],
    ['no glob', 'files: {include: []}\nkafka: {topic: t}\n', 'files.include: must hold at least one glob'],
    [
      'a glob instead of a list',
      'files: {include: /a}\nkafka: {topic: t}\n',
      'files.include: must be a list',
    ],
    [
      'a topic that Kafka refuses',
      'files: {include: [/a]}\nkafka: {topic: "a/b"}\n',
      'kafka.topic: must be a Kafka topic name',
    ],
    [
      'the topic ..',
      'files: {include: [/a]}\nkafka: {topic: ".."}\n',
      'kafka.topic: must be a Kafka topic name',
    ],
    ['a topic at the top', `${MINIMAL}topic: x\n`, 'topic: is not a setting here; it belongs into kafka'],
    ['a name with a slash', `name: a/b\n${MINIMAL}`, 'name: must be letters'],
    [
      'a burst without a rate',
      `${MINIMAL}limits: {burstBytes: 1MiB}\n`,
      'limits.burstBytes: says nothing without',
    ],
    [
      'a rate of nothing',
      `${MINIMAL}limits: {bytesPerSecond: 0}\n`,
      'limits.bytesPerSecond: must be between',
    ],
    [
      'another framing',
      `${MINIMAL}framing: {type: csv}\n`,
      'framing.type: must be one of newline, multiline, length-prefixed, not csv',
    ],
  ])('%s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('a batch that the memory budget of the host cannot hold twice', () => {
    const small = parseAgentConfig(
      '/a.yaml',
      'clusters: {m: {brokers: [a:1]}}\nlimits: {memoryBytes: 8MiB}\n',
      {},
    );
    expect(() => parse(kafka('batchBytes: 5MiB'), small)).toThrow(
      'kafka.batchBytes: must not be more than half of limits.memoryBytes of the host file, 4194304 bytes',
    );
    expect(parse(kafka('batchBytes: 4MiB'), small).kafka.batchBytes).toBe(4_194_304);
  });
});

describe('clusters', () => {
  test('several, and the pipeline names one', () => {
    expect(parse(kafka('cluster: b'), agentWith('a', 'b')).kafka.cluster).toBe('b');
  });

  test('several, and the pipeline names none', () => {
    expect(messagesOf(() => parse(kafka('codec: zstd'), agentWith('a', 'b')))).toEqual([
      expect.stringContaining(':2:1: kafka.cluster: is missing; the host file has a, b'),
    ]);
  });
});

describe('a folder of pipelines', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'skald-pipelines-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function write(name: string, text: string) {
    writeFileSync(join(dir, name), text);
  }

  test('a broken file never hides the others', () => {
    write('b.yaml', MINIMAL);
    write('a.yaml', 'files: [\n');
    write('c.yaml', MINIMAL);
    mkdirSync(join(dir, 'd.yaml'));
    const { pipelines, errors } = loadPipelines(dir, ONE, {});
    expect(pipelines.map((pipeline) => pipeline.name)).toEqual(['b', 'c']);
    expect(errors.map((error) => [error.code, error.where['file']])).toEqual([
      ['CONFIG_INVALID', join(dir, 'a.yaml')],
      ['CONFIG_UNREADABLE', join(dir, 'd.yaml')],
    ]);
  });

  test('two pipelines of one name: the first in the order of files stays', () => {
    write('a.yaml', `name: shared\n${MINIMAL}`);
    write('shared.yaml', MINIMAL);
    const { pipelines, errors } = loadPipelines(dir, ONE, {});
    expect(pipelines.map((pipeline) => pipeline.file)).toEqual([join(dir, 'a.yaml')]);
    expect(errors.map((error) => error.message)).toEqual([
      `${join(dir, 'shared.yaml')}:1:1: name: another pipeline is named shared: ${join(dir, 'a.yaml')}; rename one`,
    ]);
  });

  test('what editors leave behind is no pipeline, and a .yml is pointed out', () => {
    for (const name of ['.a.yaml', 'a.yaml~', '.a.yaml.swp', '#a.yaml#', 'README', 'a.yaml.bak'])
      write(name, 'x');
    write('a.yml', MINIMAL);
    const { pipelines, errors } = loadPipelines(dir, ONE, {});
    expect(pipelines).toEqual([]);
    expect(errors.map((error) => error.message)).toEqual([
      `${join(dir, 'a.yml')}: is not read: pipelines end in .yaml; rename it`,
    ]);
  });

  test('a link to a file elsewhere is followed, a dangling one is an error', () => {
    write('target', MINIMAL);
    symlinkSync('target', join(dir, 'a.yaml'));
    symlinkSync('nowhere', join(dir, 'b.yaml'));
    const { pipelines, errors } = loadPipelines(dir, ONE, {});
    expect(pipelines.map((pipeline) => pipeline.name)).toEqual(['a']);
    expect(errors.map((error) => error.code)).toEqual(['CONFIG_UNREADABLE']);
  });

  test('a file name that cannot be a pipeline name', () => {
    write('access log.yaml', MINIMAL);
    expect(loadPipelines(dir, ONE, {}).errors.map((error) => error.code)).toEqual(['CONFIG_INVALID']);
  });

  test('an empty folder has no pipelines and no errors', () => {
    expect(loadPipelines(dir, ONE, {})).toEqual({ pipelines: [], errors: [] });
  });

  test('a folder that is missing, or is a file, is one error', () => {
    write('file', '');
    for (const path of [join(dir, 'missing'), join(dir, 'file')]) {
      const { pipelines, errors } = loadPipelines(path, ONE, {});
      expect(pipelines).toEqual([]);
      expect(errors.map((error) => error.code)).toEqual(['CONFIG_UNREADABLE']);
    }
  });

  test('one file by its path', () => {
    write('a.yaml', MINIMAL);
    expect(loadPipelineFile(join(dir, 'a.yaml'), ONE, {}).name).toBe('a');
  });
});
