import { describe, expect, it } from 'vitest';
import type { Intent } from '../../../../transporter/chunk/intent.ts';
import type { Chunk } from '../../../../transporter/chunk/open-chunk.ts';
import { rewriteChunk, writeChunk } from '../../../../transporter/chunk/write-chunk.ts';

const object = (name: string) => ({
  name,
  parts: [Buffer.from(name)],
  bytes: name.length,
  records: 1,
  contentType: 'text/plain',
  metadata: {},
});

const chunk: Chunk = {
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
  objectBytes: 2,
  records: 2,
};

/** Writes down what happens, in order; `failure` is thrown by the first put. */
function stage(failure?: Error) {
  const events: string[] = [];
  const failures = failure === undefined ? [] : [failure];
  const options = {
    commit: (offset: number, intent?: Intent) => {
      events.push(intent === undefined ? `commit ${offset}` : `intent ${offset} to ${intent.end}`);
      return Promise.resolve();
    },
    store: {
      put: (name: string) => {
        const failed = failures.shift();
        events.push(failed === undefined ? `put ${name}` : `fail ${name}`);
        return failed === undefined ? Promise.resolve() : Promise.reject(failed);
      },
      abortUnfinished: (name: string) => {
        events.push(`abort ${name}`);
        return Promise.resolve();
      },
    },
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

  it('only commits where there was nothing to store', async () => {
    const { events, options } = stage();
    await writeChunk({ ...chunk, objects: [] }, options);
    expect(events).toEqual(['commit 20']);
  });

  it('commits nothing when an object is not stored, and rejects when nothing is on its way any more', async () => {
    const { events, options } = stage(new TypeError('a bug'));
    await expect(writeChunk(chunk, options)).rejects.toThrow('a bug');
    expect(events).toEqual(['intent 10 to 20', 'fail a', 'put b']);
  });
});

describe('rewriteChunk', () => {
  it('promises nothing anew, and drops what the earlier owner left unfinished before it commits', async () => {
    const { events, options } = stage();
    await rewriteChunk(chunk, options);
    expect(events).toEqual(['put a', 'put b', 'abort a', 'abort b', 'commit 20']);
  });
});
