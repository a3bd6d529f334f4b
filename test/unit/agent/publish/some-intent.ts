import type { Intent } from '../../../../agent/checkpoint/entries.ts';

/** An intent whose fields do not matter but for those that a test gives. */
export function someIntent(fields: Partial<Intent> = {}): Intent {
  return {
    n: 1,
    partition: 0,
    producerId: 7000n,
    producerEpoch: 0,
    baseSequence: 0,
    records: 10,
    timestampMs: 1_700_000_000_000,
    codec: 'none',
    level: undefined,
    maxRecordBytes: 1000,
    oversize: 'split',
    ranges: [],
    ...fields,
  };
}
