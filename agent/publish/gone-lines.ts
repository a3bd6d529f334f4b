import type { Logger } from '../../shared/telemetry/logger.ts';
import type { Journal } from '../checkpoint/journal.ts';
import type { Intent, IntentRange } from '../checkpoint/entries.ts';
import type { ReplaceReason } from './reidentify.ts';
import type { ReplayOutcome } from './open-batches.ts';

export interface GoneLinesOptions {
  journal: Journal;
  onReplaced(why: ReplaceReason, records: number, lostBytes: number): void;
  onReplayed(outcome: ReplayOutcome, batches: number): void;
  logger: Logger;
}

/** Says and counts that bytes of an open batch are gone before anybody knew that they had arrived. */
export function sayGone(intent: Intent, gone: readonly IntentRange[], options: GoneLinesOptions): void {
  options.logger.error(
    { intent: intent.n, partition: intent.partition, ranges: gone },
    'the bytes of a batch that was not acknowledged are gone from its files; if the broker did not get it, they are lost',
  );
  const lostBytes = gone.reduce((sum, { start, end }) => sum + end - start, 0);
  options.onReplaced('source-gone', 0, lostBytes);
  options.onReplayed('source-gone', 1);
}
