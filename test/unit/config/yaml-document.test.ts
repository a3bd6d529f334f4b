import { describe, expect, test } from 'vitest';
import { readYaml } from '../../../shared/config/yaml-document.ts';

describe('values and their places', () => {
  const text = [
    '# a comment',
    'kafka:',
    '  topic: access',
    '  brokers:',
    '    - a:1',
    '    - "b:2"',
    'on: yes',
    '',
  ].join('\n');
  const document = readYaml(text, {});

  test('values follow YAML 1.2: yes is text', () => {
    expect(document.problems).toEqual([]);
    expect(document.value).toEqual({ kafka: { topic: 'access', brokers: ['a:1', 'b:2'] }, on: 'yes' });
  });

  test.each([
    [['kafka'], 'key', 2, 1],
    [['kafka', 'topic'], 'key', 3, 3],
    [['kafka', 'topic'], 'value', 3, 10],
    [['kafka', 'brokers', 1], 'value', 6, 7],
    [['kafka', 'codec'], 'value', 2, 1],
    [['missing'], 'value', 1, 1],
  ] as const)('%j %s is at %i:%i', (path, part, line, column) => {
    expect(document.positionOf(path, part)).toEqual({ line, column });
  });
});

describe('mistakes of writing', () => {
  test.each([
    ['a key twice', 'a: 1\nb: 2\na: 3\n', 3, 1, 'twice'],
    ['a tab as indent', 'a:\n\tb: 1\n', 2, 1, 'tab'],
    ['two documents', 'a: 1\n---\nb: 2\n', 2, 1, 'several documents'],
    ['a bracket that does not close', 'a: [1, 2\n', 2, 1, 'not valid YAML'],
    ['a tag of another language', 'a: !!js/function "x"\n', 1, 4, 'no tags'],
    ['a glob without quotes', 'include:\n  - *.log\n', 2, 5, 'must be in quotes'],
    ['a merge key', 'a: &x {b: 1}\nc:\n  <<: *x\n', 3, 3, 'merge keys'],
    ['a list as key', '? [a, b]\n: 1\n', 1, 3, 'not valid YAML'],
    ['the key __proto__', '__proto__: {a: 1}\n', 1, 1, 'not a name'],
    ['nothing', '', 1, 1, 'no settings'],
    ['only comments', '# nothing\n\n', 1, 1, 'no settings'],
  ])('%s', (_, text, line, column, message) => {
    const { problems } = readYaml(text, {});
    expect(problems).toEqual([
      expect.objectContaining({ line, column, message: expect.stringContaining(message) }),
    ]);
  });

  test('several mistakes are all there', () => {
    const { problems } = readYaml('a: 1\na: 2\nb: 1\nb: 2\n', {});
    expect(problems.map((problem) => problem.line)).toEqual([2, 4]);
  });
});

describe('anchors', () => {
  test('an alias stands for its anchor', () => {
    expect(readYaml('a: &x {b: 1}\nc: *x\n', {}).value).toEqual({ a: { b: 1 }, c: { b: 1 } });
  });

  test('the latest anchor of a name counts, also after an alias to a block that held an earlier one', () => {
    const text = 'a: &y {c: &x 2}\nb: &x 3\nd: *y\ne: *x\n';
    expect(readYaml(text, {}).value).toEqual({ a: { c: 2 }, b: 3, d: { c: 2 }, e: 3 });
  });

  test('aliases that multiply are stopped', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i += 1) {
      const before = `*a${i - 1}`;
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => before).join(', ')}]`);
    }
    const { problems } = readYaml(lines.join('\n'), {});
    expect(problems).toEqual([expect.objectContaining({ message: expect.stringContaining('more than') })]);
  });

  test('an anchor that holds itself is stopped', () => {
    const { problems } = readYaml('a: &x\n  b: *x\n', {});
    expect(problems).toEqual([expect.objectContaining({ message: expect.stringContaining('more than') })]);
  });

  test.each([
    ['brackets that stay open', '['.repeat(100_000)],
    ['brackets that close', `${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['maps in maps', '{a: '.repeat(5000)],
    ['lists in lists', '- '.repeat(5000)],
    ['keys in keys', '? '.repeat(5000)],
    ['a staircase', Array.from({ length: 1200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('nesting that would end the stack of the parser is refused: %s', (_, text) => {
    const { problems, value } = readYaml(text, {});
    expect(value).toBeUndefined();
    expect(problems).toEqual([expect.objectContaining({ message: 'is nested too deep' })]);
  });

  test('brackets in text, comments and globs do not count as nesting', () => {
    const text = `a: |\n  ${'[{'.repeat(500)}\n# ${'['.repeat(500)}\nb: "${'['.repeat(500)}"\nc: /var/log/[a-z][0-9]/{x,y}.log\n`;
    expect(readYaml(text, {}).problems).toEqual([]);
  });
});

describe('environment', () => {
  test('variables fill strings at any depth, and the place remembers it', () => {
    const document = readYaml('a:\n  - b: x-${NAME}\nc: 5\n', { NAME: 'y' });
    expect(document.value).toEqual({ a: [{ b: 'x-y' }], c: 5 });
    expect(document.isFromEnvironment(['a', 0, 'b'])).toBe(true);
    expect(document.isFromEnvironment(['c'])).toBe(false);
  });

  test('a missing variable is reported at its value', () => {
    const { problems } = readYaml('a: 1\nsasl:\n  password: ${KAFKA_PASSWORD}\n', {});
    expect(problems).toEqual([
      expect.objectContaining({
        path: ['sasl', 'password'],
        line: 3,
        column: 13,
        message: expect.stringContaining('KAFKA_PASSWORD'),
      }),
    ]);
  });
});
