import type { TransporterMetrics } from '../shared/telemetry/transporter-metrics.ts';
import type { CutReason } from './chunk/cut-policy.ts';
import type { Chunk, ChunkObject } from './chunk/open-chunk.ts';
import type { DecodedRange } from './decode/decode-range.ts';

/** What a partition's flow reports, as metrics of its topic. */
export interface FlowCounts {
  decoded(range: DecodedRange): void;
  cut(reason: CutReason): void;
  intent(): void;
  lost(offsets: number): void;
  replayed(): void;
  /** `late` are those of its objects whose buckets were finished before. */
  stored(chunk: Chunk, late: readonly ChunkObject[]): void;
}

export function flowCounts(metrics: TransporterMetrics, topic: string): FlowCounts {
  return {
    decoded: ({ frames, refused, undecodable, timeFallbacks }) => {
      for (const { records, textBytes } of frames) {
        metrics.records.inc({ topic }, records);
        metrics.decodedBytes.inc({ topic }, textBytes);
      }
      if (timeFallbacks > 0) metrics.timeFallbacks.inc({ topic }, timeFallbacks);
      for (const [reason, records] of Object.entries(refused?.byReason ?? {}))
        metrics.quarantinedRecords.inc({ topic, reason }, records);
      for (const { records, reason } of undecodable)
        metrics.quarantinedRecords.inc({ topic, reason }, records);
    },
    cut: (reason) => metrics.chunkCuts.inc({ topic, reason }),
    intent: () => metrics.intents.inc({ topic }),
    lost: (offsets) => {
      if (offsets === 0) return;
      metrics.losses.inc({ topic });
      metrics.lostOffsets.inc({ topic }, offsets);
    },
    replayed: () => metrics.replays.inc({ topic }),
    stored: ({ objects, objectBytes, records }, late) => {
      metrics.objects.inc({ topic }, objects.length);
      metrics.objectBytes.inc({ topic }, objectBytes);
      metrics.objectRecords.inc({ topic }, records);
      for (const object of late) metrics.lateRecords.inc({ topic }, object.records);
    },
  };
}
