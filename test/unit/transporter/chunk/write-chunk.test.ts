import { describe, expect, it } from 'vitest';
import type { Intent } from '../../../../transporter/chunk/intent.ts';
import { type MarkedChunk, rewriteChunk, writeChunk } from '../../../../transporter/chunk/write-chunk.ts';

const object = (name: string) => ({
  name,
  spareName: `${name}-spare`,
  parts: [Buffer.from(name)],
  bytes: name.length,
  records: 1,
  contentType: 'text/plain',
  metadata: { 'skald-chunk': 'this' },
});

/** The earlier owner may have been killed at either name. */
const aborted = (...names: string[]) => names.flatMap((name) => [`abort ${name}`, `abort ${name}-spare`]);

const chunk: MarkedChunk = {
  topic: 'logs',
  partition: 0,
  start: 10,
  end: 20,
  layout: {
    prefix: 'logs',
    template: '{topic}/{yyyy}{mm}{dd}{hh}/{partition}-{firstOffset}',
    bucket: 'hour',
    timeZone: 'UTC',
    time: { type: 'timestamp' },
    format: 'lines',
    columns: [],
    codec: 'none',
    level: undefined,
  },
  objects: [object('a'), object('b')],
  markers: [],
  objectBytes: 2,
  records: 2,
};

/**
 * Writes down what happens, in order; `failure` is thrown by the first put, and `there` has the chunks of the objects that
 * are stored already.
 */
function stage({ failure, there = {} }: { failure?: Error; there?: Record<string, string> } = {}) {
  const events: string[] = [];
  const failures = failure === undefined ? [] : [failure];
  const found = (name: string) => (name in there ? { 'skald-chunk': there[name]! } : undefined);
  const options = {
    commit: (offset: number, intent?: Intent) => {
      events.push(intent === undefined ? `commit ${offset}` : `intent ${offset} to ${intent.end}`);
      return Promise.resolve();
    },
    store: {
      put: (name: string) => {
        const failed = failures.shift();
        events.push(failed === undefined ? `put ${name}` : `fail ${name}`);
        return failed === undefined ? Promise.resolve(found(name)) : Promise.reject(failed);
      },
      describe: (name: string) => Promise.resolve(found(name)),
      abortUnfinished: (name: string) => {
        events.push(`abort ${name}`);
        return Promise.resolve();
      },
    },
    problems: { warn: () => {} },
    signal: new AbortController().signal,
  };
  return { events, options };
}

describe('writeChunk', () => {
  it('promises, stores, commits, in this order', async () => {
    const { events, options } = stage();
    await writeChunk(chunk, options);
    expect(events).toEqual(['intent 10 to 20', 'put a', 'put b', 'commit 20']);
  });

  it('stores markers before anything of what they speak of', async () => {
    const marked = { ...chunk, markers: [object('m')] };
    const { events, options } = stage();
    await writeChunk(marked, options);
    expect(events).toEqual(['intent 10 to 20', 'put m', 'put a', 'put b', 'commit 20']);
    events.length = 0;
    await rewriteChunk(marked, options);
    expect(events).toEqual(['put m', 'put a', 'put b', ...aborted('m', 'a', 'b'), 'commit 20']);
    const failing = stage({ failure: new TypeError('a bug') });
    await expect(writeChunk(marked, failing.options)).rejects.toThrow('a bug');
    expect(failing.events).toEqual(['intent 10 to 20', 'fail m']);
  });

  it('only commits where there was nothing to store', async () => {
    const { events, options } = stage();
    await writeChunk({ ...chunk, objects: [] }, options);
    expect(events).toEqual(['commit 20']);
  });

  it('takes an object that is there for its own when it is of this chunk, as after a lost answer', async () => {
    const { events, options } = stage({ there: { a: 'this' } });
    await writeChunk(chunk, options);
    expect(events).toEqual(['intent 10 to 20', 'put a', 'put b', 'commit 20']);
  });

  it('stores beside an object of another chunk, and never over it', async () => {
    const { events, options } = stage({ there: { a: 'another' } });
    await writeChunk(chunk, options);
    expect(events).toEqual(['intent 10 to 20', 'put a', 'put b', 'put a-spare', 'commit 20']);
  });

  it('commits nothing when an object is not stored, and rejects when nothing is on its way any more', async () => {
    const { events, options } = stage({ failure: new TypeError('a bug') });
    await expect(writeChunk(chunk, options)).rejects.toThrow('a bug');
    expect(events).toEqual(['intent 10 to 20', 'fail a', 'put b']);
  });
});

describe('rewriteChunk', () => {
  it('promises nothing anew, and drops what the earlier owner left unfinished before it commits', async () => {
    const { events, options } = stage();
    await rewriteChunk(chunk, options);
    expect(events).toEqual(['put a', 'put b', ...aborted('a', 'b'), 'commit 20']);
  });

  it('leaves alone what the earlier owner has stored, also under the second name', async () => {
    const { events, options } = stage({ there: { 'a-spare': 'this', b: 'this' } });
    await rewriteChunk(chunk, options);
    expect(events).toEqual([...aborted('a', 'b'), 'commit 20']);
  });

  it('stores beside an object of another chunk, as the earlier owner would have', async () => {
    const { events, options } = stage({ there: { a: 'another', b: 'this' } });
    await rewriteChunk(chunk, options);
    expect(events).toEqual(['put a', 'put a-spare', ...aborted('a', 'b'), 'commit 20']);
  });
});
