import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../scripts/demo/demo-error.ts';
import { digestOf } from '../../../../scripts/demo/line-checksum.ts';
import { createLineTable } from '../../../../scripts/demo/line-table.ts';

/** What the table should do, in the obvious way. */
function modelTable() {
  const expected = new Map<string, Map<number, number>>();
  return {
    add(line: string, owner: number) {
      const owners = expected.get(line) ?? new Map<number, number>();
      expected.set(line, owners.set(owner, (owners.get(owner) ?? 0) + 1));
    },
    take(line: string) {
      const owners = [...(expected.get(line) ?? [])].sort(([a], [b]) => a - b);
      if (owners.length === 0) return undefined;
      const waiting = owners.find(([, count]) => count > 0);
      if (waiting === undefined) return { owner: owners[0]![0], isExtra: true };
      expected.get(line)!.set(waiting[0], waiting[1] - 1);
      return { owner: waiting[0], isExtra: false };
    },
  };
}

const digest = (line: string): string => digestOf(Buffer.from(line));

describe('the table of expected lines', () => {
  test('gives every line to whom a plain map gives it', () => {
    const line = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const step = fc.record({ line, owner: fc.nat(3), isAdd: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = createLineTable(2 ** 6);
        const model = modelTable();
        const taken: unknown[] = [];
        const expected: unknown[] = [];
        for (const { line, owner, isAdd } of steps) {
          if (isAdd) {
            table.add(digest(line), owner);
            model.add(line, owner);
          } else {
            taken.push(table.take(digest(line)));
            expected.push(model.take(line));
          }
        }
        expect(taken).toEqual(expected);
      }),
    );
  });

  test('keeps its lines when it grows', () => {
    const table = createLineTable();
    const count = 200_000;
    for (let index = 0; index < count; index++) table.add(digest(`line ${index}`), index % 7);

    for (let index = 0; index < count; index++)
      expect(table.take(digest(`line ${index}`))).toEqual({ owner: index % 7, isExtra: false });
    expect(table.take(digest('line 3'))).toEqual({ owner: 3, isExtra: true });
    expect(table.take(digest('line -1'))).toBeUndefined();
  });

  test('says what is still expected, of each owner', () => {
    const table = createLineTable();
    table.add(digest('same'), 4);
    table.add(digest('same'), 4);
    table.add(digest('same'), 1);
    table.take(digest('same'));

    expect(table.remaining(digest('same'), 1)).toBe(0);
    expect(table.remaining(digest('same'), 4)).toBe(2);
    expect(table.remaining(digest('other'), 4)).toBe(0);
  });

  test('refuses more different lines than its bound, and takes any number of the same', () => {
    const table = createLineTable(64);
    for (let index = 0; index < 1000; index++) table.add(digest('same'), 0);

    const addMore = (): void => {
      for (let index = 0; index < 64; index++) table.add(digest(`line ${index}`), 0);
    };

    expect(addMore).toThrow(UsageError);
    expect(table.remaining(digest('same'), 0)).toBe(1000);
  });
});
