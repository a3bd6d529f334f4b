import type { ChunkConfig } from '../shared/config/objects-config.ts';
import type { TransporterMetrics } from '../shared/telemetry/transporter-metrics.ts';
import type { CutReason } from './chunk/cut-policy.ts';
import type { Chunk } from './chunk/open-chunk.ts';
import type { DecodedRange } from './decode/decode-range.ts';

/** What a partition's flow reports, as metrics of its topic. */
export interface FlowCounts {
  decoded(range: DecodedRange, limits: ChunkConfig, wallMs: number): void;
  cut(reason: CutReason): void;
  intent(): void;
  lost(offsets: number): void;
  replayed(): void;
  stored(chunk: Chunk): void;
}

export function flowCounts(metrics: TransporterMetrics, topic: string): FlowCounts {
  return {
    decoded: ({ frames, refused, undecodable, timeFallbacks }, { bucketGraceMs }, wallMs) => {
      for (const { records, textBytes, bucket } of frames) {
        metrics.records.inc({ topic }, records);
        metrics.decodedBytes.inc({ topic }, textBytes);
        if (bucket.endMs + bucketGraceMs < wallMs) metrics.lateRecords.inc({ topic }, records);
      }
      if (timeFallbacks > 0) metrics.timeFallbacks.inc({ topic }, timeFallbacks);
      for (const [reason, records] of Object.entries(refused?.byReason ?? {}))
        metrics.quarantinedRecords.inc({ topic, reason }, records);
      for (const { records, reason } of undecodable)
        metrics.quarantinedRecords.inc({ topic, reason }, records);
    },
    cut: (reason) => metrics.chunkCuts.inc({ topic, reason }),
    intent: () => metrics.intents.inc({ topic }),
    lost: (offsets) => metrics.lostOffsets.inc({ topic }, offsets),
    replayed: () => metrics.replays.inc({ topic }),
    stored: ({ objects, objectBytes, records }) => {
      metrics.objects.inc({ topic }, objects.length);
      metrics.objectBytes.inc({ topic }, objectBytes);
      metrics.objectRecords.inc({ topic }, records);
    },
  };
}
