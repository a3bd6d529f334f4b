import { appendFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../../../scripts/demo/demo-error.ts';
import type { Verdict } from '../../../../scripts/demo/line-check.ts';
import { createUserCheck, MAX_LINE_BYTES } from '../../../../scripts/demo/user-check.ts';
import { closeUserFiles, openUserFiles } from '../../../../scripts/demo/user-files.ts';
import { tempDir } from '../../../support/temp-dir.ts';

type Content = string | Uint8Array;

/** A check of files with these contents, by name. */
async function checkOf(contents: Readonly<Record<string, Content>>) {
  const directory = await tempDir();
  const paths: string[] = [];
  for (const [name, content] of Object.entries(contents)) {
    paths.push(join(directory, name));
    await writeFile(paths.at(-1)!, content);
  }
  const { files } = await openUserFiles(paths);
  onTestFinished(() => closeUserFiles(files));
  const check = await createUserCheck(files);
  const finishWith = async (lines: readonly Content[]): Promise<Verdict> => {
    await check.allowLater();
    for (const line of lines) check.take(Buffer.from(line));
    return check.finish();
  };
  return { check, paths, finishWith };
}

describe("the check of the user's own lines", () => {
  test('every line once is exactly once, whatever bytes it holds', async () => {
    const odd = Buffer.concat([
      Buffer.from('windows\r\n'),
      Buffer.from('\n'),
      Buffer.from([0x00, 0xff, 0xfe, 0x0a]),
      Buffer.from('same\nsame\n'),
    ]);
    const { check, finishWith } = await checkOf({ 'odd.log': odd });

    const verdict = await finishWith(['same', '', Buffer.from([0x00, 0xff, 0xfe]), 'windows\r', 'same']);

    expect(check.snapshots).toEqual([{ lines: 5, bytes: odd.length }]);
    expect(verdict).toMatchObject({
      exactlyOnce: true,
      foreign: 0,
      files: [{ expected: 5, found: 5, missing: 0, doubled: 0, remarks: [] }],
    });
    expect(verdict.files[0]!.foundChecksum).toBe(verdict.files[0]!.expectedChecksum);
  });

  test('a line is lost', async () => {
    const { finishWith } = await checkOf({ 'app.log': 'one\ntwo\nthree\n' });

    const verdict = await finishWith(['one', 'three']);

    expect(verdict).toMatchObject({
      exactlyOnce: false,
      files: [{ found: 2, missing: 1, doubled: 0, examples: ['line 2 is missing: two'] }],
    });
  });

  test('a line is doubled, while another that is twice in the file is not', async () => {
    const { finishWith } = await checkOf({ 'app.log': 'one\ntwice\ntwice\n' });

    const verdict = await finishWith(['one', 'one', 'twice', 'twice']);

    expect(verdict).toMatchObject({
      exactlyOnce: false,
      foreign: 0,
      files: [{ found: 4, missing: 0, doubled: 1, examples: ['came again: one'] }],
    });
  });

  test('a byte of a line is altered', async () => {
    const { finishWith } = await checkOf({ 'app.log': 'one\ntwo\n' });

    const verdict = await finishWith(['one', 'twp']);

    expect(verdict).toMatchObject({
      exactlyOnce: false,
      foreign: 1,
      foreignExamples: ['twp'],
      files: [{ missing: 1, examples: ['line 2 is missing: two'] }],
    });
  });

  test('a carriage return is lost', async () => {
    const { finishWith } = await checkOf({ 'app.log': 'one\r\n' });

    expect(await finishWith(['one'])).toMatchObject({ exactlyOnce: false, foreign: 1 });
  });

  test("one file's line came in place of another's", async () => {
    const { finishWith } = await checkOf({ 'a.log': 'of a\nboth\n', 'b.log': 'of b\nboth\n' });

    const verdict = await finishWith(['of a', 'of a', 'both', 'both']);

    expect(verdict).toMatchObject({
      exactlyOnce: false,
      files: [
        { missing: 0, doubled: 1 },
        { missing: 1, doubled: 0, examples: ['line 1 is missing: of b'] },
      ],
    });
  });

  test('a line that several files have came once less than it is there', async () => {
    const { finishWith } = await checkOf({ 'a.log': 'both\n', 'b.log': 'both\n' });

    const verdict = await finishWith(['both']);

    expect(verdict).toMatchObject({ exactlyOnce: false, files: [{ missing: 0 }, { missing: 1 }] });
  });

  test('the last line has no newline yet: it is not expected', async () => {
    const { check, finishWith } = await checkOf({ 'app.log': 'one\ntwo' });

    const verdict = await finishWith(['one']);

    expect(check.snapshots).toEqual([{ lines: 1, bytes: 4 }]);
    expect(verdict).toMatchObject({
      exactlyOnce: true,
      files: [{ expected: 1, missing: 0, remarks: ['waiting: no newline yet behind the last 3 bytes'] }],
    });
  });

  test('an unfinished line came as if it were whole', async () => {
    const { finishWith } = await checkOf({ 'app.log': 'one\ntwo, which is not wh' });

    const verdict = await finishWith(['one', 'two, which']);

    expect(verdict).toMatchObject({ exactlyOnce: false, foreign: 1, foreignExamples: ['two, which'] });
  });

  test('the file grows during the run: what came later may have arrived, once', async () => {
    const { paths, finishWith } = await checkOf({ 'app.log': 'one\ntw' });
    await appendFile(paths[0]!, 'o\nthree\nfour\nfi');

    const verdict = await finishWith(['one', 'two', 'three']);

    expect(verdict).toMatchObject({
      exactlyOnce: true,
      files: [
        {
          expected: 1,
          found: 1,
          remarks: [
            'waiting: no newline yet behind the last 2 bytes',
            '3 line(s) came during the run, 2 of them are in S3 already',
          ],
        },
      ],
    });
  });

  test('a line that came during the run is doubled', async () => {
    const { paths, finishWith } = await checkOf({ 'app.log': 'one\n' });
    await appendFile(paths[0]!, 'two\n');

    const verdict = await finishWith(['one', 'two', 'two']);

    expect(verdict).toMatchObject({ exactlyOnce: false, files: [{ missing: 0, doubled: 1 }] });
  });

  test('a line of the snapshot is lost and the same line came again later: once is enough', async () => {
    const { paths, finishWith } = await checkOf({ 'app.log': 'same\n' });
    await appendFile(paths[0]!, 'same\n');

    expect(await finishWith(['same'])).toMatchObject({ exactlyOnce: true });
  });

  test('the file is rotated during the run: the old one is expected, the new one may have arrived', async () => {
    const { paths, finishWith } = await checkOf({ 'app.log': 'old\n' });
    await rename(paths[0]!, `${paths[0]!}.1`);
    await appendFile(`${paths[0]!}.1`, 'last of the old\n');
    await writeFile(paths[0]!, 'new\n');

    const verdict = await finishWith(['old', 'last of the old', 'new']);

    expect(verdict).toMatchObject({ exactlyOnce: true, foreign: 0, files: [{ expected: 1, found: 1 }] });
  });

  test('the file is truncated during the run: what was in it is still expected', async () => {
    const { paths, finishWith } = await checkOf({ 'app.log': 'one\ntwo\n' });
    await truncate(paths[0]!, 0);

    expect(await finishWith(['one'])).toMatchObject({ exactlyOnce: false, files: [{ missing: 1 }] });
    const again = await checkOf({ 'app.log': 'one\ntwo\n' });
    await truncate(again.paths[0]!, 0);
    expect(await again.finishWith(['one', 'two'])).toMatchObject({ exactlyOnce: true });
  });

  test('an empty file has nothing to expect', async () => {
    const { finishWith } = await checkOf({ 'app.log': '' });

    expect(await finishWith([])).toMatchObject({ exactlyOnce: true, files: [{ expected: 0, remarks: [] }] });
  });

  test('the longest line that fits into a record is taken; one byte more is refused', async () => {
    const longest = 'x'.repeat(MAX_LINE_BYTES);
    const { finishWith } = await checkOf({ 'app.log': `${longest}\n` });

    expect(await finishWith([longest])).toMatchObject({ exactlyOnce: true });
    await expect(checkOf({ 'app.log': `one\n${longest}x\n` })).rejects.toThrow(UsageError);
    await expect(checkOf({ 'app.log': `one\n${longest}x` })).rejects.toThrow(/app\.log: line 2 is longer/);
  });
});
