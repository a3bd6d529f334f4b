import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalStore } from '../../../../transporter/store/local-store.ts';

let directory = '';
const signal = new AbortController().signal;
const options = { contentType: 'text/plain', metadata: { 'skald-records': '2' }, signal };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skald-store-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('openLocalStore', () => {
  it('writes an object of all its parts, in folders that it makes, with the metadata beside it', async () => {
    const store = openLocalStore({ type: 'local', directory });
    await store.check();
    await store.put('logs/dt=2026-07-31/0-5.log', [Buffer.from('one\n'), Buffer.from('two\n')], options);
    const folder = join(directory, 'logs/dt=2026-07-31');
    expect(await readFile(join(folder, '0-5.log'), 'utf8')).toBe('one\ntwo\n');
    expect((await readdir(folder)).sort()).toEqual(['.0-5.log.meta.json', '0-5.log']);
    expect(JSON.parse(await readFile(join(folder, '.0-5.log.meta.json'), 'utf8'))).toEqual({
      'skald-records': '2',
    });
  });

  it('never writes over an object, and says what the one is that has the name', async () => {
    const store = openLocalStore({ type: 'local', directory });
    expect(await store.describe('a')).toBeUndefined();
    expect(await store.put('a', [Buffer.from('first')], options)).toBeUndefined();
    const other = { ...options, metadata: { 'skald-records': '7' } };
    expect(await store.put('a', [Buffer.from('second')], other)).toEqual({ 'skald-records': '2' });
    expect(await store.describe('a')).toEqual({ 'skald-records': '2' });
    expect(await store.put('empty', [], options)).toBeUndefined();
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('first');
    expect(await readFile(join(directory, 'empty'), 'utf8')).toBe('');
    expect((await readdir(directory)).sort()).toEqual(['.a.meta.json', '.empty.meta.json', 'a', 'empty']);
  });

  it('knows nothing of a file that it did not write, and leaves it alone', async () => {
    await writeFile(join(directory, 'a'), 'theirs');
    expect(await openLocalStore({ type: 'local', directory }).put('a', [], options)).toEqual({});
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('theirs');
  });

  it('gives an object its own metadata where a killed writer left some without an object', async () => {
    await writeFile(join(directory, '.a.meta.json'), '{"skald-records":"1"}');
    const store = openLocalStore({ type: 'local', directory });
    expect(await store.put('a', [Buffer.from('x')], options)).toBeUndefined();
    expect(await store.describe('a')).toEqual({ 'skald-records': '2' });
  });

  it('lets two writers of one name end as one whole object: a zombie and its successor', async () => {
    const store = openLocalStore({ type: 'local', directory });
    const content = Array.from({ length: 200 }, (_, i) => Buffer.alloc(1000, i % 250));
    await Promise.all([1, 2, 3, 4].map(() => store.put('logs/0-0.log', content, options)));
    expect((await readFile(join(directory, 'logs/0-0.log'))).equals(Buffer.concat(content))).toBe(true);
    expect((await readdir(join(directory, 'logs'))).filter((name) => name.includes('.part-'))).toEqual([]);
  });

  it('removes what a dead owner left unfinished under a name, and nothing else', async () => {
    const store = openLocalStore({ type: 'local', directory });
    await store.abortUnfinished('logs/0-0.log');
    await mkdir(join(directory, 'logs'));
    // The second one is what a writer leaves that is killed while it writes the metadata.
    const unfinished = ['.0-0.log.part-1', '..0-0.log.meta.json.part-1'];
    const others = ['..0-00.log.meta.json.part-1', '.0-0.log.meta.json', '.0-00.log.part-1', '0-0.log'];
    for (const name of [...unfinished, ...others]) await writeFile(join(directory, 'logs', name), '');
    await store.abortUnfinished('logs/0-0.log');
    expect((await readdir(join(directory, 'logs'))).sort()).toEqual(others);
  });

  it('refuses a name that leaves its folder', async () => {
    const store = openLocalStore({ type: 'local', directory });
    await expect(store.put('../outside', [], options)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('says at the start that it cannot write, and takes nothing after the partition is gone', async () => {
    await writeFile(join(directory, 'file'), '');
    const store = openLocalStore({ type: 'local', directory: join(directory, 'file', 'below') });
    await expect(store.check()).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(
      openLocalStore({ type: 'local', directory }).put('a', [], { ...options, signal: gone }),
    ).rejects.toThrow('gone');
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('waits for a folder that has vanished instead of making another one, which the old one would cover', async () => {
    const root = join(directory, 'objects');
    const store = openLocalStore({ type: 'local', directory: root });
    await store.check();
    await store.put('logs/first', [Buffer.from('1')], options);
    await rename(root, join(directory, 'unmounted'));
    await expect(store.put('logs/second', [Buffer.from('2')], options)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      retryable: true,
    });
    expect(await readdir(directory)).toEqual(['unmounted']);
    await rename(join(directory, 'unmounted'), root);
    await store.put('logs/second', [Buffer.from('2')], options);
    expect(await readFile(join(root, 'logs/second'), 'utf8')).toBe('2');
  });
});
