import { z } from 'zod';
import { bytes, choice, durationMs, whenParsed } from './fields.ts';
import { parseBytes, parseDurationMs } from './units.ts';

const KIB = 1024;

/** How long single-partition stays where a file does not say it. */
const STICKY_TIME = '30s';
const STICKY_SIZE = '64MiB';

const STICKY_KEYS = ['stickyMs', 'stickyBytes'] as const;

export const partitionerSchema = z
  .strictObject({
    type: choice(
      '`single-partition` stays on one partition for a while, so batches are large and compress best. `round-robin` gives ' +
        'each batch to the next partition: every partition gets the same number of batches from every host, and a host ' +
        'holds a connection to every leader.',
      ['single-partition', 'round-robin'],
    ).default('single-partition'),
    rack: choice(
      "Partitions led in the agent's rack: `prefer` them, `require` them (wait when there is none), or `ignore` racks.",
      ['prefer', 'require', 'ignore'],
    ).default('prefer'),
    stickyMs: durationMs('Time on one partition before another is drawn. Only with `single-partition`.', {
      min: 0,
      max: 86_400_000,
      default: STICKY_TIME,
    })
      .unwrap()
      .optional()
      .meta({ defaultText: `\`${STICKY_TIME}\` (${parseDurationMs(STICKY_TIME)})` }),
    stickyBytes: bytes(
      'Record bytes to one partition before another is drawn. Only with `single-partition`.',
      {
        min: 1 * KIB,
        max: 1024 ** 4,
        default: STICKY_SIZE,
      },
    )
      .unwrap()
      .optional()
      .meta({ defaultText: `\`${STICKY_SIZE}\` (${parseBytes(STICKY_SIZE)})` }),
  })
  .superRefine(
    (partitioner, context) => {
      if (partitioner.type !== 'round-robin') return;
      for (const key of STICKY_KEYS) {
        if (partitioner[key] === undefined) continue;
        const message = 'round-robin stays on no partition: remove it, or use type: single-partition';
        context.addIssue({ code: 'custom', path: [key], message, continue: true });
      }
    },
    { when: whenParsed('type', ...STICKY_KEYS) },
  )
  .prefault({})
  .meta({ description: 'Which partition a batch goes to.' });

type ParsedPartitioner = z.output<typeof partitionerSchema>;

/** With the defaults of its type filled in. */
export type PartitionerConfig =
  | {
      readonly type: 'single-partition';
      readonly rack: ParsedPartitioner['rack'];
      readonly stickyMs: number;
      readonly stickyBytes: number;
    }
  | { readonly type: 'round-robin'; readonly rack: ParsedPartitioner['rack'] };

export function resolvePartitioner({
  type,
  rack,
  stickyMs = parseDurationMs(STICKY_TIME)!,
  stickyBytes = parseBytes(STICKY_SIZE)!,
}: ParsedPartitioner): PartitionerConfig {
  return type === 'round-robin' ? { type, rack } : { type, rack, stickyMs, stickyBytes };
}
