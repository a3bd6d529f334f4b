import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../../shared/telemetry/logger.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { createOutOfRange } from '../../../../transporter/fetch/out-of-range.ts';

const signal = new AbortController().signal;

function stage(earliest: number) {
  const errors: unknown[] = [];
  const counted: number[] = [];
  const logger: Logger = { ...silentLogger, error: (fields: unknown) => void errors.push(fields) };
  const outOfRange = createOutOfRange(
    { topic: 'logs', partition: 3 },
    {
      askLogOffset: () => Promise.resolve(earliest),
      counts: { lost: (offsets) => void counted.push(offsets) },
      logger,
    },
  );
  return { errors, counted, outOfRange };
}

describe('createOutOfRange', () => {
  it('goes on behind what Kafka has deleted, and says exactly what is lost', async () => {
    const { errors, counted, outOfRange } = stage(150);
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'skip', to: 150 });
    expect(errors).toEqual([{ topic: 'logs', partition: 3, lostFrom: 100, lostTo: 150, lostOffsets: 50 }]);
    expect(counted).toEqual([50]);
  });

  it('believes that a log ends before the offset only when its leader says so again and again', async () => {
    const { errors, outOfRange } = stage(0);
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'ask-again' });
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'ask-again' });
    outOfRange.reset();
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'ask-again' });
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'ask-again' });
    expect(errors).toEqual([]);
    expect(await outOfRange.advise(100, signal)).toEqual({ kind: 'move', to: 0 });
    expect(errors).toEqual([{ topic: 'logs', partition: 3, position: 100, earliest: 0 }]);
  });
});
