import { expect, test } from 'vitest';
import { createScreen } from '../../../../scripts/demo/screen.ts';

/** Collects what is written, and shows it as a terminal does: only what ECMA-48 sequences the screen uses are known. */
function createTerminal(columns: number) {
  const rows: string[] = [];
  const write = (text: string): void => {
    // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked at
    for (const [, up, erase, line] of text.matchAll(/\u001b\[(\d+)A|(\u001b\[J)|([^\n]*)\n/g)) {
      if (up !== undefined) cursor -= Number(up);
      else if (erase !== undefined) rows.length = cursor;
      else rows[cursor++] = line!;
    }
  };
  let cursor = 0;
  return { output: { write, isTTY: true, columns }, rows };
}

test('a terminal shows the block in one place, below what stays', () => {
  const { output, rows } = createTerminal(40);
  const screen = createScreen(output);

  screen.print('begin');
  screen.show({ block: ['written 1', 'in S3 0'], line: 'unused' });
  screen.show({ block: ['written 2', 'in S3 1'], line: 'unused' });
  screen.print('chaos');
  expect(rows).toEqual(['begin', 'chaos', 'written 2', 'in S3 1']);

  screen.settle();
  screen.show({ block: ['reading'], line: 'unused' });
  expect(rows).toEqual(['begin', 'chaos', 'written 2', 'in S3 1', 'reading']);

  screen.clear();
  screen.print('end');
  expect(rows).toEqual(['begin', 'chaos', 'written 2', 'in S3 1', 'end']);
});

test('a line of the block never wraps', () => {
  const { output, rows } = createTerminal(10);
  createScreen(output).show({ block: ['0123456789abc'], line: '' });

  expect(rows).toEqual(['012345678']);
});

test('a terminal of unknown width counts as one of 80 columns', () => {
  const { output, rows } = createTerminal(0);
  createScreen(output).show({ block: ['x'.repeat(100)], line: '' });

  expect(rows).toEqual(['x'.repeat(79)]);
});

test('without a terminal there is one plain line every two seconds', () => {
  let nowMs = 0;
  let text = '';
  const screen = createScreen({ write: (part: string) => (text += part) }, () => nowMs);

  for (; nowMs <= 5000; nowMs += 500) screen.show({ block: ['unused'], line: `at ${nowMs}` });
  screen.clear();
  screen.print('end');

  expect(text).toBe('at 2000\nat 4000\nend\n');
});
