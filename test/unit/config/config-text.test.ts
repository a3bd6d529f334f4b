import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfigText } from '../../../shared/config/config-text.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'skald-config-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, content: string | Buffer): string {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
}

test('the text of a file, without a byte order mark', () => {
  expect(readConfigText(write('a.yaml', Buffer.from('\u{feff}topic: größe\n')))).toBe('topic: größe\n');
});

test('a file that is not there', () => {
  const file = join(dir, 'missing.yaml');
  expect(() => readConfigText(file)).toThrow(
    expect.objectContaining({ code: 'CONFIG_UNREADABLE', message: `${file}: does not exist` }),
  );
});

test('a directory instead of a file', () => {
  mkdirSync(join(dir, 'agent.yaml'));
  expect(() => readConfigText(join(dir, 'agent.yaml'))).toThrow(
    expect.objectContaining({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('is a directory'),
    }),
  );
});

test('a path through a file', () => {
  const file = join(write('a', ''), 'agent.yaml');
  expect(() => readConfigText(file)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('not a directory'),
    }),
  );
});

test('a device instead of a file', () => {
  expect(() => readConfigText('/dev/zero')).toThrow(
    expect.objectContaining({ code: 'CONFIG_UNREADABLE', message: '/dev/zero: is not a plain file' }),
  );
});

test('a link that leads to itself', () => {
  symlinkSync('loop.yaml', join(dir, 'loop.yaml'));
  expect(() => readConfigText(join(dir, 'loop.yaml'))).toThrow(
    expect.objectContaining({ code: 'CONFIG_UNREADABLE', message: expect.stringContaining('ELOOP') }),
  );
});

test.skipIf(process.getuid?.() === 0)('a file that this user may not read', () => {
  const file = write('secret.yaml', 'a: 1');
  chmodSync(file, 0o000);
  expect(() => readConfigText(file)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('permission denied'),
    }),
  );
});

test('a log file given by mistake', () => {
  const file = write('access.log', Buffer.alloc(1024 ** 2 + 1, 'x'));
  expect(() => readConfigText(file)).toThrow(
    expect.objectContaining({ code: 'CONFIG_UNREADABLE', message: expect.stringContaining('1048577 bytes') }),
  );
});

test('text in another encoding is refused with the line', () => {
  const file = write('latin1.yaml', Buffer.from('# fine\n# fine\nname: gr\xf6\xdfe\n', 'latin1'));
  expect(() => readConfigText(file)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: `${file}:3:1: is not UTF-8 text; save the file as UTF-8`,
    }),
  );
});
