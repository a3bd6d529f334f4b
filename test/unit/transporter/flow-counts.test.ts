import { expect, it } from 'vitest';
import { createRegistry } from '../../../shared/telemetry/metrics.ts';
import { createTransporterMetrics } from '../../../shared/telemetry/transporter-metrics.ts';
import { nothingDecoded } from '../../../transporter/decode/decode-range.ts';
import { flowCounts } from '../../../transporter/flow-counts.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');

it('what is decoded is counted by what became of it', async () => {
  const registry = createRegistry();
  const counts = flowCounts(createTransporterMetrics(registry), 'logs');
  const frame = {
    bucket: { label: '2026-07-31T11:00', startMs: NOON - 3_600_000, endMs: NOON },
    bytes: Buffer.from('12345'),
    textBytes: 50,
    records: 7,
    firstOffset: 0,
    lastOffset: 6,
    minTimestampMs: NOON,
    maxTimestampMs: NOON,
  };
  const byReason = { RECORD_TIME_UNUSABLE: 2, RECORD_TOO_LARGE: 1 };
  const place = { firstOffset: 7, lastOffset: 40, textBytes: 9, bytes: Buffer.from('x') };
  const undecodable = { baseOffset: 20, records: 20, reason: 'WIRE_CORRUPT', message: 'at byte 9' } as const;
  counts.decoded({
    ...nothingDecoded(41),
    frames: [frame],
    refused: { ...place, byReason, records: 3, batches: 1 },
    undecodable: [undecodable],
    timeFallbacks: 4,
  });
  const lines = (await registry.metrics()).split('\n').filter((line) => /^skald_.*\btopic="logs"/.test(line));
  expect(lines.toSorted()).toEqual([
    'skald_transporter_decoded_bytes_total{topic="logs"} 50',
    'skald_transporter_quarantined_records_total{topic="logs",reason="RECORD_TIME_UNUSABLE"} 2',
    'skald_transporter_quarantined_records_total{topic="logs",reason="RECORD_TOO_LARGE"} 1',
    'skald_transporter_quarantined_records_total{topic="logs",reason="WIRE_CORRUPT"} 20',
    'skald_transporter_records_total{topic="logs"} 7',
    'skald_transporter_time_fallbacks_total{topic="logs"} 4',
  ]);
});
