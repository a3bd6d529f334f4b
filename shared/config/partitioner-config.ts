import { z } from 'zod';
import type { KeySource } from '../framing/record-key.ts';
import { patternProblem } from '../framing/line-pattern.ts';
import { bytes, choice, durationMs, text, whenParsed } from './fields.ts';
import { parseBytes, parseDurationMs } from './units.ts';

const KIB = 1024;

/** How long single-partition stays where a file does not say it. */
const STICKY_TIME = '30s';
const STICKY_SIZE = '64MiB';

const STICKY_KEYS = ['stickyMs', 'stickyBytes'] as const;
const KEY_KEYS = ['keyPattern', 'keyField'] as const;

const KEY_PATTERN =
  'Regular expression (JavaScript): its first group in the record is the key, or all that it matches. Only with `keyed`, which needs this or `keyField`.';
const KEY_FIELD =
  'Path of a field in records that are JSON objects, such as `user.id`: its text is the key. Only with `keyed`.';

export const partitionerSchema = z
  .strictObject({
    type: choice(
      '`single-partition` stays on one partition for a while, so batches are large and compress best. `round-robin` gives ' +
        'each batch to the next partition: every partition gets the same number of batches from every host, and a host ' +
        'holds a connection to every leader. `keyed` gives each record the key that is found in it, and the partition that ' +
        "Kafka's producers choose for that key; batches are smaller, and racks do not count. Records without a key go as with " +
        '`single-partition`.',
      ['single-partition', 'round-robin', 'keyed'],
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
    keyPattern: text(KEY_PATTERN)
      .superRefine((value, context) => {
        const problem = patternProblem(value);
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
      })
      .optional()
      .meta({ description: KEY_PATTERN, defaultText: '' }),
    keyField: text(KEY_FIELD)
      .regex(/^[^.]+(\.[^.]+)*$/, { error: 'must be names with dots between them, such as user.id' })
      .optional()
      .meta({ description: KEY_FIELD, defaultText: '' }),
  })
  .superRefine(
    (partitioner, context) => {
      const { type, keyPattern, keyField } = partitioner;
      const report = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [key], message, continue: true });
      for (const key of type === 'round-robin' ? STICKY_KEYS : []) {
        if (partitioner[key] === undefined) continue;
        report(key, 'round-robin stays on no partition: remove it, or use type: single-partition');
      }
      for (const key of type === 'keyed' ? [] : KEY_KEYS) {
        if (partitioner[key] === undefined) continue;
        report(key, `${type} looks for no keys: remove it, or use type: keyed`);
      }
      if (type !== 'keyed') return;
      if (keyPattern === undefined && keyField === undefined) {
        report('keyPattern', 'is missing; keyed needs keyPattern or keyField, such as keyField: user.id');
      } else if (keyPattern !== undefined && keyField !== undefined) {
        report('keyField', 'must not be there beside keyPattern: one of them says where the key is');
      }
    },
    { when: whenParsed('type', ...STICKY_KEYS, ...KEY_KEYS) },
  )
  .prefault({})
  .meta({ description: 'Which partition a batch goes to.' });

type ParsedPartitioner = z.output<typeof partitionerSchema>;

interface Sticky {
  readonly rack: ParsedPartitioner['rack'];
  readonly stickyMs: number;
  readonly stickyBytes: number;
}

/** With the defaults of its type filled in. */
export type PartitionerConfig =
  | ({ readonly type: 'single-partition' } & Sticky)
  | { readonly type: 'round-robin'; readonly rack: ParsedPartitioner['rack'] }
  /** The rest is about records without a key. */
  | ({ readonly type: 'keyed'; readonly key: KeySource } & Sticky);

export function resolvePartitioner(parsed: ParsedPartitioner): PartitionerConfig {
  const { type, rack, keyPattern, keyField = '' } = parsed;
  if (type === 'round-robin') return { type, rack };
  const { stickyMs = parseDurationMs(STICKY_TIME)!, stickyBytes = parseBytes(STICKY_SIZE)! } = parsed;
  const sticky = { rack, stickyMs, stickyBytes };
  if (type === 'single-partition') return { type, ...sticky };
  return { type, key: keyPattern === undefined ? { field: keyField } : { pattern: keyPattern }, ...sticky };
}
