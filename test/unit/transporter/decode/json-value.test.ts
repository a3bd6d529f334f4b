import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJsonValues, fieldOf } from '../../../../transporter/decode/json-value.ts';
import type { RecordView } from '../../../../transporter/decode/record-view.ts';

function viewOf(text: string): RecordView {
  const section = Buffer.from(text);
  const value = { valueStart: 0, valueEnd: section.length };
  const rest = { offset: 0, timestampMs: 0, keyStart: -1, keyEnd: -1, headersStart: 0, headersEnd: 0 };
  return { section, ...value, ...rest };
}

const exact = (text: string): unknown => createJsonValues().exactObjectOf(viewOf(text));

describe('numbers of JSON', () => {
  it.each([
    ['{"n":9007199254740993}', { n: '9007199254740993' }],
    ['{"n":-9223372036854775808}', { n: '-9223372036854775808' }],
    ['{"n":1234567890.12345678}', { n: '1234567890.12345678' }],
    ['{"n":123456789012345}', { n: 123456789012345 }],
    ['{"n":1e30,"m":-1.5E-7}', { n: 1e30, m: -1.5e-7 }],
    ['{"n":[9007199254740993,{"m":0.1}]}', { n: ['9007199254740993', { m: 0.1 }] }],
  ])('of %s keep their digits', (text, object) => {
    expect(exact(text)).toEqual(object);
  });

  it('are not looked for inside of text, however it is quoted', () => {
    const text = JSON.stringify({ a: 'x 9007199254740993 "9007199254740993" \\', '9007199254740993\\"': 1 });
    expect(exact(text)).toEqual(JSON.parse(text));
  });

  it('are the only thing that differs from what JSON.parse says', () => {
    const shorter = (_: string, value: unknown): unknown =>
      typeof value === 'number' && String(value).replaceAll(/\D/g, '').length > 14 ? 0 : value;
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const text = JSON.stringify(object, shorter);
        expect(exact(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('a field', () => {
  it.each([
    ['a', { a: 1 }, 1],
    ['a.b', { a: { b: 2 } }, 2],
    ['a.b', { 'a.b': 3, a: { b: 2 } }, 3],
    ['a.b', { a: [{ b: 2 }] }, undefined],
    ['a.b', { a: null }, undefined],
    ['a.b', { a: 'b' }, undefined],
    ['a.length', { a: 'text' }, undefined],
    ['toString', {}, undefined],
    ['__proto__.a', { a: 1 }, undefined],
  ])('%s of %j', (field, object, value) => {
    expect(fieldOf(object, field)).toEqual(value);
  });
});
