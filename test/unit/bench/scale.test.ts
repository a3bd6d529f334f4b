import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { split } from '../../../bench/scale.ts';
import { tempDir } from '../../support/temp-dir.ts';

test.each([1, 3, 7])(
  'a file is cut into %d files of whole lines that are the file again, one behind the other',
  async (count) => {
    const folder = await tempDir();
    const text = Array.from({ length: 100 }, (_, i) => `${'x'.repeat(i % 13)}${i}\n`).join('');
    const file = join(folder, 'whole');
    await writeFile(file, text);
    await split(file, folder, count);
    const names = (await readdir(folder)).filter((name) => name.startsWith('part-'));
    expect(names).toHaveLength(count);
    const parts = await Promise.all(names.map((_, i) => readFile(join(folder, `part-${i + 1}.log`), 'utf8')));
    expect(parts.join('')).toBe(text);
    for (const part of parts) {
      expect(part).toMatch(/\n$/);
      expect(Math.abs(part.length - text.length / count)).toBeLessThan(20);
    }
  },
);
