import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { configReference, settingRows } from '../../../scripts/docs/config-reference.ts';
import { withSections } from '../../../scripts/docs/generated-sections.ts';
import { generatedPages } from '../../../scripts/docs/pages.ts';
import { agentConfigSchema } from '../../../shared/config/agent-config.ts';
import { bytes, durationMs } from '../../../shared/config/fields.ts';
import { pipelineConfigSchema } from '../../../shared/config/pipeline-config.ts';
import { transporterConfigSchema } from '../../../shared/config/transporter-config.ts';

const ROOT = join(import.meta.dirname, '../../..');

test.each(Object.entries(generatedPages()))('%s is up to date (npm run docs)', (file, sections) => {
  const page = readFileSync(join(ROOT, file), 'utf8');
  expect(withSections(page, sections)).toBe(page);
});

describe.each([
  ['agent', agentConfigSchema],
  ['pipeline', pipelineConfigSchema],
  ['transporter', transporterConfigSchema],
] as const)('every setting of the %s', (_, schema) => {
  const rows = settingRows(schema);

  test('has a meaning that is a sentence', () => {
    expect(rows.filter((row) => !/^[A-Z`].*\.$/.test(row.meaning)).map((row) => row.key)).toEqual([]);
  });

  test('has its unit in its name, if it has one', () => {
    for (const [unit, suffix] of [
      ['bytes', /[bB]ytes(PerSecond)?`$/],
      ['ms', /Ms`$/],
    ] as const) {
      const named = rows.filter((row) => suffix.test(row.key)).map((row) => row.key);
      expect(rows.filter((row) => row.unit === unit).map((row) => row.key)).toEqual(named);
    }
  });
});

test('a reference shows key, type, default as written and as number, unit and meaning', () => {
  const schema = z.strictObject({
    size: bytes('A size.', { min: 1024, max: 1024 ** 2, default: '64KiB' }),
    wait: durationMs('A wait.', { min: 0, max: 60_000, default: '1.5s' }),
    mode: z.enum(['a', 'b']).meta({ description: 'A choice of a|b.' }),
  });
  expect(configReference(schema).split('\n')).toEqual([
    '| Key | Type | Default | Unit | Meaning |',
    '| --- | --- | --- | --- | --- |',
    '| `size` | size, 1KiB to 1MiB | `64KiB` (65536) | bytes | A size. |',
    '| `wait` | duration, 0 to 1m | `1.5s` (1500) | ms | A wait. |',
    String.raw`| ${'`mode`'} | ${'`a`, `b`'} | **required** |  | A choice of a\|b. |`,
  ]);
});

describe('generated sections', () => {
  const page = 'before\n<!-- generated: a -->\nold\n<!-- /generated -->\nafter\n';

  test('are replaced between their marks, and stay when they are the same', () => {
    const once = withSections(page, { a: 'new $1' });
    expect(once).toContain('new $1');
    expect(once).not.toContain('old');
    expect(once.startsWith('before\n')).toBe(true);
    expect(once.endsWith('\nafter\n')).toBe(true);
    expect(withSections(once, { a: 'new $1' })).toBe(once);
  });

  test('a section without a place, or a place without a section, is an error', () => {
    expect(() => withSections(page, { a: 'x', b: 'y' })).toThrow('no place for b');
    expect(() => withSections(page, {})).toThrow('nobody generates the section a');
  });
});
