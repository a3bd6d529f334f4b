import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rateLimit, unlimited } from '../../../agent/rate-limit.ts';
import { smallWorld } from './small-world.ts';

const KIB = 1024;

function limited(bytesPerSecond: number, burstBytes: number) {
  const time = { ms: 5_000 };
  const limitedMs: number[] = [];
  const limit = rateLimit({
    bytesPerSecond,
    burstBytes,
    onLimited: (ms) => limitedMs.push(ms),
    clock: { monotonicMs: () => time.ms },
  });
  return { ...limit, time, limitedMs };
}

describe('a limit of bytes for each second', () => {
  test('lets a burst through at once, then a tenth of a second at a time', () => {
    const limit = limited(1_000, 3_000);
    expect(limit.allowance()).toBe(3_000);
    limit.took(3_000);
    expect([limit.allowance(), limit.waitMs()]).toEqual([0, 100]);
    limit.time.ms += 99;
    expect([limit.allowance(), limit.waitMs()]).toEqual([0, 1]);
    limit.time.ms += 1;
    expect([limit.allowance(), limit.waitMs()]).toEqual([100, Infinity]);
  });

  test('has no more than the burst after a long pause', () => {
    const limit = limited(1_000, 3_000);
    limit.took(3_000);
    limit.time.ms += 86_400_000;
    expect(limit.allowance()).toBe(3_000);
  });

  test('waits out what a long line took beyond it', () => {
    const limit = limited(1_000, 1_000);
    limit.took(11_000);
    expect(limit.waitMs()).toBe(10_100);
    limit.time.ms += 10_099;
    expect(limit.allowance()).toBe(0);
    limit.time.ms += 1;
    expect(limit.allowance()).toBe(100);
  });

  test('tells for how long it held reading back; an idle hour behind it is not part of that', () => {
    const limit = limited(1_000, 1_000);
    limit.took(1_000);
    limit.allowance();
    limit.time.ms += 100;
    limit.allowance();
    expect(limit.limitedMs).toEqual([100]);
    limit.took(100);
    limit.allowance();
    limit.time.ms += 3_600_000;
    limit.allowance();
    expect(limit.limitedMs).toEqual([100, 100]);
  });

  test('whatever is read whenever: never more than burst and rate allow, and never less than is there to be read', () => {
    const steps = fc.array(
      fc.record({ ms: fc.nat(3_000), greed: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    const sizes = fc.record({
      rate: fc.integer({ min: 1_024, max: 1e9 }),
      burst: fc.integer({ min: 1_024, max: 1e9 }),
    });
    fc.assert(
      fc.property(sizes, steps, ({ rate, burst }, history) => {
        const limit = limited(rate, burst);
        const beganMs = limit.time.ms;
        let readBytes = 0;
        for (const { ms, greed } of history) {
          limit.time.ms += ms;
          const bytes = Math.floor(limit.allowance() * greed);
          limit.took(bytes);
          readBytes += bytes;
          const seconds = (limit.time.ms - beganMs) / 1_000;
          expect(readBytes).toBeLessThanOrEqual(burst + rate * seconds + 1);
        }
        // It never stands still: what it says it needs is enough.
        const waitMs = limit.waitMs();
        limit.time.ms += Number.isFinite(waitMs) ? waitMs : 0;
        expect(limit.allowance()).toBeGreaterThan(0);
      }),
    );
  });
});

test('without a limit nothing waits', () => {
  unlimited.took(1e15);
  expect([unlimited.allowance(), unlimited.waitMs()]).toEqual([Infinity, Infinity]);
});

describe('a pipeline with limits.bytesPerSecond', () => {
  const line = (n: number): string => `${n}`.padEnd(63, '.');
  const LINES = Array.from({ length: 640 }, (_, i) => line(1_000 + i)); // 40 KiB

  test('carries its backlog at that rate, all of it, and counts the time', async () => {
    const w = smallWorld({ limits: { bytesPerSecond: 4 * KIB } });
    w.disk.append('/logs/app.log', `${LINES.join('\n')}\n`);
    await w.start(w.journal);
    await w.clock.advance(5_000);
    const after = w.lines().length * 64;
    expect(after).toBeGreaterThanOrEqual(4 * KIB + 4 * 4 * KIB);
    expect(after).toBeLessThanOrEqual(4 * KIB + 5 * 4 * KIB);
    await w.clock.advance(6_000);
    expect(w.lines()).toEqual(LINES);
    // 36 KiB beyond the burst, at 4 KiB a second.
    const limitedSeconds = await w.count('skald_agent_rate_limited_seconds_total');
    expect(limitedSeconds).toBeGreaterThan(8);
    expect(limitedSeconds).toBeLessThanOrEqual(9.1);
  });

  test('shares the rate among its files', async () => {
    const w = smallWorld({ limits: { bytesPerSecond: 4 * KIB } });
    for (const name of ['a', 'b', 'c', 'd'])
      w.disk.append(`/logs/${name}.log`, `${name}\n${LINES.join('\n')}\n`);
    const pipeline = await w.start(w.journal);
    await w.clock.advance(10_000);
    const read = pipeline.status().files.map((file) => file.readBytes);
    expect(Math.min(...read)).toBeGreaterThan(Math.max(...read) / 2);
  });

  test('holds up no line that is read already: it is there when its linger ends', async () => {
    const w = smallWorld({ limits: { bytesPerSecond: 1 * KIB }, kafka: { lingerMs: 500 } });
    await w.start(w.journal);
    w.disk.append('/logs/app.log', `${'x'.repeat(500)}\n${'y'.repeat(4_000)}\n`);
    await w.clock.advance(1_000);
    expect(w.lines()).toContain('x'.repeat(500));
  });
});
