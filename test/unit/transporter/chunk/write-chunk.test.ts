import { describe, expect, it } from 'vitest';
import { SkaldError } from '../../../../shared/errors.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import type { Intent } from '../../../../transporter/chunk/intent.ts';
import type { Chunk } from '../../../../transporter/chunk/open-chunk.ts';
import { rewriteChunk, writeChunk } from '../../../../transporter/chunk/write-chunk.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

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

/** Writes down what happens, in order; `failures` are thrown by the first puts. */
function stage(failures: Error[] = []) {
  const clock = simClock(0);
  const events: string[] = [];
  const stop = new AbortController();
  const options = {
    commit: (offset: number, intent?: Intent) => {
      events.push(intent === undefined ? `commit ${offset}` : `intent ${offset} to ${intent.end}`);
      return Promise.resolve();
    },
    store: {
      location: 'memory',
      check: () => Promise.resolve(),
      put: (name: string) => {
        const failure = failures.shift();
        events.push(failure === undefined ? `put ${name}` : `fail ${name}`);
        return failure === undefined ? Promise.resolve() : Promise.reject(failure);
      },
      abortUnfinished: (name: string) => {
        events.push(`abort ${name}`);
        return Promise.resolve();
      },
      close: () => {},
    },
    clock,
    random: () => 0.5,
    problems: repeatedLog({ logger: silentLogger, clock, intervalMs: 1000 }),
    signal: stop.signal,
  };
  return { clock, events, options, stop };
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

  it('tries for as long as the store fails, and commits nothing before', async () => {
    const down = Array.from({ length: 50 }, () => new SkaldError('STORE_UNREACHABLE', 'down'));
    const { clock, events, options } = stage(down);
    const written = writeChunk(chunk, options);
    await clock.advance(3_600_000);
    await written;
    expect(events.filter((event) => event.startsWith('fail'))).toHaveLength(50);
    expect(events.slice(-2).sort()[0]).toBe('commit 20');
    expect(events.indexOf('commit 20')).toBe(events.length - 1);
  });

  it('stops trying when the partition is gone', async () => {
    const { clock, events, options, stop } = stage(
      Array.from({ length: 4 }, () => new SkaldError('STORE_FAILED', 'no')),
    );
    const written = writeChunk(chunk, options);
    written.catch(() => {});
    await clock.advance(1);
    stop.abort(new Error('gone'));
    await clock.advance(60_000);
    await expect(written).rejects.toThrow('gone');
    expect(events).toEqual(['intent 10 to 20', 'fail a', 'fail b']);
  });

  it('does not try again what trying cannot help', async () => {
    const { events, options } = stage([new TypeError('a bug')]);
    await expect(writeChunk(chunk, options)).rejects.toThrow('a bug');
    expect(events).toEqual(['intent 10 to 20', 'fail a', 'put b']);
  });
});

describe('rewriteChunk', () => {
  it('drops what the earlier owner left unfinished under the same names, and promises nothing anew', async () => {
    const { events, options } = stage();
    await rewriteChunk(chunk, options);
    expect(events).toEqual(['abort a', 'abort b', 'put a', 'put b', 'commit 20']);
  });

  it('goes on where it may not look for unfinished uploads', async () => {
    const { events, options } = stage();
    options.store.abortUnfinished = () => Promise.reject(new SkaldError('STORE_DENIED', 'not allowed'));
    await rewriteChunk(chunk, options);
    expect(events).toEqual(['put a', 'put b', 'commit 20']);
  });
});
