import { describe, expect, test } from 'vitest';
import { templateParts, templateProblems } from '../../../shared/config/object-layout.ts';

const DAY = '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}';

test('a template is text and fields in turn', () => {
  expect(templateParts('{prefix}/dt={yyyy}.x')).toEqual([
    { field: 'prefix' },
    { literal: '/dt=' },
    { field: 'yyyy' },
    { literal: '.x' },
  ]);
});

describe('good templates', () => {
  test.each([
    ['hour', `${DAY}/hr={hh}/{partition}-{firstOffset}.{ext}`],
    ['day', `${DAY}/{partition}-{firstOffset}.{ext}`],
    ['minute', `${DAY}/{hh}{mi}/{partition}-{firstOffset}.log`],
    ['day', '{yyyy}{mm}{dd}/{topic}.{partition}.{firstOffset}'],
    ['day', 'v2/{yyyy}{mm}{dd}/{topic}/p{partition}/o{firstOffset}'],
  ] as const)('%s: %s', (bucket, template) => {
    expect(templateProblems(template, bucket)).toEqual([]);
  });
});

describe('two objects could get one name', () => {
  test.each([
    ['no topic', 'day', '{yyyy}{mm}{dd}/{partition}-{firstOffset}', '{topic}'],
    ['no partition', 'day', '{topic}/{yyyy}{mm}{dd}/{firstOffset}', '{partition}'],
    ['no first offset', 'day', '{topic}/{yyyy}{mm}{dd}/{partition}', '{firstOffset}'],
    ['time too coarse for hours', 'hour', `${DAY}/{partition}-{firstOffset}`, '{hh}'],
    ['time too coarse for minutes', 'minute', `${DAY}/{hh}/{partition}-{firstOffset}`, '{mi}'],
    [
      'partition 1, offset 23 and partition 12, offset 3',
      'day',
      `${DAY}/{partition}{firstOffset}`,
      'text between',
    ],
    [
      'topic a1, partition 2 and topic a, partition 12',
      'day',
      '{yyyy}{mm}{dd}/{topic}{partition}/{firstOffset}',
      'text between',
    ],
    [
      'offset 1 in 2023 and offset 12 in 023x',
      'day',
      '{topic}/{partition}/{firstOffset}{yyyy}{mm}{dd}',
      'text between',
    ],
    [
      'partition after a digit',
      'day',
      '{topic}/{yyyy}{mm}{dd}/-1{partition}/{firstOffset}',
      'must not follow a digit',
    ],
  ] as const)('%s', (_, bucket, template, message) => {
    expect(templateProblems(template, bucket).join('\n')).toContain(message);
  });
});

describe('names that stores mangle or refuse', () => {
  const tail = '{topic}/{yyyy}{mm}{dd}/{partition}-{firstOffset}';
  test.each([
    ['a leading slash', `/${tail}`, 'must not begin or end'],
    ['a trailing slash', `${tail}/`, 'must not begin or end'],
    ['an empty folder', `a//${tail}`, 'must not begin or end'],
    ['a way up', `../${tail}`, 'must not hold . or ..'],
    ['a hidden name', '{topic}/{yyyy}{mm}{dd}/.{partition}-{firstOffset}', 'must not begin with . or _'],
    ['a name of a marker', '_{topic}-{yyyy}{mm}{dd}-{partition}-{firstOffset}', 'must not begin with . or _'],
    ['a line break', `a\n${tail}`, 'control characters'],
    ['a backslash', `a\\${tail}`, 'backslashes'],
    ['an unknown field', `{host}/${tail}`, '{host} is not a field'],
    ['a field in capitals', `{Topic}/${tail}`, '{Topic} is not a field'],
    ['a brace that does not close', `{${tail}`, 'brace'],
  ])('%s', (_, template, message) => {
    expect(templateProblems(template, 'day').join('\n')).toContain(message);
  });
});
