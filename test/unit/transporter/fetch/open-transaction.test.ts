import { describe, expect, it } from 'vitest';
import { watchOpenTransaction } from '../../../../transporter/fetch/open-transaction.ts';

function stage() {
  const warnings: unknown[] = [];
  let nowMs = 0;
  const watch = watchOpenTransaction(
    { topic: 'logs', partition: 3 },
    { clock: { monotonicMs: () => nowMs }, problems: { warn: (_, fields) => void warnings.push(fields) } },
  );
  return {
    watch,
    warnings,
    lookAt: (ms: number, lastStableOffset: number, highWatermark: number): void => {
      nowMs = ms;
      watch.look({ lastStableOffset, highWatermark });
    },
  };
}

describe('watchOpenTransaction', () => {
  it('warns after a minute with the last stable offset and the high watermark', () => {
    const { watch, warnings, lookAt } = stage();
    lookAt(1_000, 40, 41);
    lookAt(60_999, 40, 70);
    expect(watch.ms).toBe(59_999);
    expect(warnings).toEqual([]);
    lookAt(61_000, 40, 90);
    expect(warnings).toEqual([
      { topic: 'logs', partition: 3, lastStableOffset: 40, highWatermark: 90, openForMs: 60_000 },
    ]);
  });

  it('begins anew when the offset moves, and is over when it is at the end', () => {
    const { watch, warnings, lookAt } = stage();
    lookAt(0, 40, 50);
    lookAt(50_000, 45, 60);
    expect(watch.ms).toBe(0);
    lookAt(100_000, 45, 60);
    expect(watch.ms).toBe(50_000);
    lookAt(120_000, 60, 60);
    expect(watch.ms).toBe(0);
    lookAt(300_000, 60, 61);
    expect(watch.ms).toBe(0);
    expect(warnings).toEqual([]);
  });

  it('sees none where uncommitted records are carried too', () => {
    const { watch, warnings, lookAt } = stage();
    lookAt(0, -1, 50);
    lookAt(100_000, -1, 60);
    expect(watch.ms).toBe(0);
    expect(warnings).toEqual([]);
  });
});
