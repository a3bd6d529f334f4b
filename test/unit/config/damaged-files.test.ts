import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { array, assert, constantFrom, integer, nat, property, record, string } from 'fast-check';
import { expect, test } from 'vitest';
import { parseAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { parsePipeline } from '../../../shared/config/load-pipeline.ts';
import { parseTransporterConfig } from '../../../shared/config/load-transporter-config.ts';
import { isSkaldError } from '../../../shared/errors.ts';

const ENV = { KAFKA_PASSWORD: 'x' };
const AGENT = parseAgentConfig('/agent.yaml', 'clusters: {main: {brokers: [a:1]}}\n', ENV);

const files = [
  ['agent.yaml', (text: string) => parseAgentConfig('/f.yaml', text, ENV)],
  ['pipelines/access-log.yaml', (text: string) => parsePipeline('/f.yaml', text, AGENT, ENV)],
  ['transporter.yaml', (text: string) => parseTransporterConfig('/f.yaml', text, ENV)],
] as const;

const scraps = [
  '',
  '- ',
  ': ',
  '\t',
  '"',
  "'",
  '[',
  '}',
  '&a ',
  '*a',
  '!!int ',
  '${',
  '${A}',
  '$${',
  '~',
  '0x',
  '.nan',
  '|',
  '---\n',
  '\n',
  '# ',
  '<<: ',
];
const edit = record({ at: nat(), length: integer({ min: 0, max: 30 }), insert: constantFrom(...scraps) });

/** Undefined when the text is valid; the error otherwise, which must be ours. */
function errorOf(parse: (text: string) => unknown, text: string) {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (!isSkaldError(error, 'CONFIG_INVALID')) throw error;
    return error;
  }
}

test.each(files)(
  'a damaged %s is valid or refused with places that are in the file, whatever the damage',
  (name, parse) => {
    const original = readFileSync(join(import.meta.dirname, '../../../config', name), 'utf8');
    assert(
      property(array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const text = edits.reduce((before, { at, length, insert }) => {
          const start = at % (before.length + 1);
          return before.slice(0, start) + insert + before.slice(start + length);
        }, original);
        const error = errorOf(parse, text);
        const lines = text.split('\n').length;
        for (const [, line] of error?.message.matchAll(/^\s*\/f\.yaml:(\d+):\d+: /gm) ?? []) {
          expect(Number(line)).toBeGreaterThanOrEqual(1);
          expect(Number(line)).toBeLessThanOrEqual(lines);
        }
        expect(error?.message ?? '/f.yaml:1:1: ').toMatch(/^\/f\.yaml(:\d+:\d+: | has \d+ problems:\n)/);
      }),
      { numRuns: 200 },
    );
  },
);

test.each(files)('any text given as %s is refused, not a crash', (_, parse) => {
  assert(
    property(string({ unit: 'binary', maxLength: 200 }), (text) => {
      expect(errorOf(parse, text)?.code).toBe('CONFIG_INVALID');
    }),
    { numRuns: 200 },
  );
});
