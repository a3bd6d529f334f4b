import { expect, test } from 'vitest';
import { interpolate } from '../../../shared/config/interpolate.ts';

const ENV = { USER_NAME: 'log-writer', EMPTY: '', NESTED: '${USER_NAME}' };

test.each([
  ['${USER_NAME}', 'log-writer'],
  ['a-${USER_NAME}-b', 'a-log-writer-b'],
  ['${USER_NAME}${USER_NAME}', 'log-writerlog-writer'],
  ['${MISSING:-guest}', 'guest'],
  ['${MISSING:-}', ''],
  ['${EMPTY:-guest}', 'guest'],
  ['${EMPTY}', ''],
  ['${USER_NAME:-guest}', 'log-writer'],
  ['${MISSING:-a:-b}', 'a:-b'],
  ['$${USER_NAME}', '${USER_NAME}'],
  ['$HOME and 100 $', '$HOME and 100 $'],
  ['plain', 'plain'],
])('%s becomes %j', (text, value) => {
  expect(interpolate(text, ENV)).toEqual({ value });
});

test('what a variable holds is taken as it is', () => {
  expect(interpolate('${NESTED}', ENV)).toEqual({ value: '${USER_NAME}' });
});

test('a missing variable is named', () => {
  expect(interpolate('x${KAFKA_PASSWORD}', ENV)).toEqual({
    problem: expect.stringContaining('KAFKA_PASSWORD is not set'),
  });
});

test.each(['${', '${}', '${1A}', '${A-B}', '${USER_NAME'])(
  '%s is no reference and says what would be one',
  (text) => {
    expect(interpolate(text, ENV)).toEqual({ problem: expect.stringContaining('$${') });
  },
);

test('names of object methods are no variables', () => {
  expect(interpolate('${toString}', ENV)).toHaveProperty('problem');
});
