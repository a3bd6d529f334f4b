import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = new URL('../../..', import.meta.url).pathname;

/** The names in the last column of the tables with the heading `test`. */
function namedTests(page: string): string[] {
  const names = new Set<string>();
  let inTable = false;
  for (const line of readFileSync(join(ROOT, 'docs', page), 'utf8').split('\n')) {
    const last = line.split('|').at(-2)?.trim();
    if (!line.startsWith('|') || last === undefined) inTable = false;
    else if (last === 'test') inTable = true;
    else if (inTable) for (const [, name] of last.matchAll(/`([^`]+)`/g)) names.add(name!);
  }
  return [...names];
}

/** Written from `test/`, from `test/unit/`, or from the tests of the program that the page is about. */
function isThere(name: string, program: string): boolean {
  const base = name.replace(/^test\//, '');
  return ['', 'unit', `unit/${program}`].some((folder) =>
    ['.test.ts', '.property.test.ts'].some((ending) => existsSync(join(ROOT, 'test', folder, base + ending))),
  );
}

test.each(['agent', 'transporter'])('every test that docs/%s.md names is there', (program) => {
  const names = namedTests(`${program}.md`);
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !isThere(name, program))).toEqual([]);
});
