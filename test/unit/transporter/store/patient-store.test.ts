import { describe, expect, it } from 'vitest';
import { SkaldError } from '../../../../shared/errors.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { patientStore } from '../../../../transporter/store/patient-store.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';
import { recordedLog } from '../../agent/recorded-log.ts';

const HOUR_MS = 3_600_000;
const down = (): SkaldError => new SkaldError('STORE_UNREACHABLE', 'nobody answers');

/** A store that rejects with what `failure` gives, and writes down what it is asked. */
function stage(failure: (attempt: number) => Error | undefined) {
  const clock = simClock(0);
  const { logger, lines } = recordedLog();
  const events: { atMs: number; event: string }[] = [];
  let attempts = 0;
  const act = (event: string, error: Error | undefined): Promise<undefined> => {
    events.push({ atMs: clock.monotonicMs(), event });
    return error === undefined ? Promise.resolve(undefined) : Promise.reject(error);
  };
  const store = patientStore({
    store: {
      location: 'memory',
      check: () => Promise.resolve(),
      put: (key) => act(`put ${key}`, failure(attempts++)),
      list: () => Promise.resolve({ objects: [], folders: [] }),
      describe: () => Promise.resolve(undefined),
      abortUnfinished: (key) => act(`abort ${key}`, new SkaldError('STORE_DENIED', 'may not list')),
      close: () => Promise.resolve(),
    },
    clock,
    random: () => 0.5,
    problems: repeatedLog({ logger, clock, intervalMs: 60_000 }),
    logger,
  });
  const stop = new AbortController();
  const put = (key: string): Promise<unknown> =>
    store.put(key, [], { contentType: 'text/plain', metadata: {}, signal: stop.signal });
  return { clock, events, lines, put, stop, store };
}

describe('patientStore', () => {
  it('tries for as long as the store fails, at distances that grow to half a minute', async () => {
    const { clock, events, put } = stage((attempt) => (attempt < 50 ? down() : undefined));
    const stored = put('a');
    await clock.advance(HOUR_MS);
    await stored;
    const times = events.filter(({ event }) => event === 'put a').map(({ atMs }) => atMs);
    expect(times).toHaveLength(51);
    const distances = times.slice(1).map((atMs, i) => atMs - times[i]!);
    expect(distances[0]).toBeLessThanOrEqual(500);
    expect(Math.max(...distances)).toBeLessThanOrEqual(30_000);
    expect(distances.slice(-5).every((ms) => ms > 10_000)).toBe(true);
  });

  it('stops trying when the partition is gone', async () => {
    const { clock, events, put, stop, store } = stage(down);
    const stored = put('a');
    stored.catch(() => {});
    await clock.advance(1);
    stop.abort(new Error('gone'));
    await clock.advance(HOUR_MS);
    await expect(stored).rejects.toThrow('gone');
    expect(events).toHaveLength(1);
    expect(store.waiting).toMatchObject({ count: 0, longestMs: 0, problem: undefined });
  });

  it('does not try again what trying cannot help', async () => {
    const { events, put, store } = stage(() => new TypeError('a bug'));
    await expect(put('a')).rejects.toThrow('a bug');
    expect(events).toHaveLength(1);
    expect(store.waiting.count).toBe(0);
  });

  it('drops what a failed attempt may have begun, and is done although the store does not let it', async () => {
    const { clock, events, lines, put } = stage((attempt) => (attempt === 0 ? down() : undefined));
    const stored = put('a');
    await clock.advance(1000);
    await stored;
    expect(events.map(({ event }) => event)).toEqual(['put a', 'put a', 'abort a']);
    expect(lines.map(({ message }) => message)).toContain('unfinished uploads cannot be dropped');
  });

  it('asks for nothing more than the put where that goes well', async () => {
    const { events, lines, put } = stage(() => undefined);
    await put('a');
    expect(events.map(({ event }) => event)).toEqual(['put a']);
    expect(lines).toEqual([]);
  });

  it('says how many objects wait, for how long and why, until the last of them is stored', async () => {
    let isDown = true;
    const { clock, lines, put, store } = stage(() => (isDown ? down() : undefined));
    const first = put('a');
    await clock.advance(20_000);
    const second = put('b');
    await clock.advance(20_000);
    expect(store.waiting).toMatchObject({ count: 2, longestMs: 40_000 });
    expect(store.waiting.problem).toBe('2 objects wait for the store, for up to 40 s: nobody answers');
    isDown = false;
    await clock.advance(60_000);
    await Promise.all([first, second]);
    expect(store.waiting).toMatchObject({ count: 0, longestMs: 0, problem: undefined });
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'every object that waited is stored' });
  });

  it('warns of what may pass, and is an error when it lasts', async () => {
    const { clock, lines, put, stop } = stage(down);
    put('a').catch(() => {});
    await clock.advance(50_000);
    expect(lines.map(({ level }) => level)).toEqual(['warn']);
    await clock.advance(HOUR_MS);
    expect(lines.some(({ level }) => level === 'error')).toBe(true);
    stop.abort();
  });

  it.each(['STORE_BUCKET_MISSING', 'STORE_DENIED'] as const)(
    'is an error at once, and once for all objects, where someone must act: %s',
    async (code) => {
      const { clock, lines, put, stop } = stage(() => new SkaldError(code, 'no'));
      for (const key of ['a', 'b', 'c']) put(key).catch(() => {});
      await clock.advance(30_000);
      expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
        'error: objects cannot be stored: they wait',
      ]);
      stop.abort();
    },
  );
});
