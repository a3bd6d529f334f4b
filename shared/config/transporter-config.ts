import { z } from 'zod';
import { clusterConfigSchema, type ClusterConfig } from './cluster-config.ts';
import type { Ec2Placement } from './ec2-placement.ts';
import { bytes, choice, count, durationMs, flag, pattern, whenParsed, type DeepReadonly } from './fields.ts';
import { chunkSchema, objectsSchema, success, topicSchema } from './objects-config.ts';
import { logSchema, rackFields, refuseTwoRacks, statusSchema, whenRackParsed } from './process-config.ts';
import { storeConfigSchema } from './store-config.ts';
import { fileNameProblems, topicProblems, type TopicConfig } from './topic-config.ts';

export const DEFAULT_TRANSPORTER_FILE = '/etc/skald/transporter.yaml';

const MIB = 1024 ** 2;
/** Of a decoding thread: its heap, and the text of a job on its way through the codecs. */
export const DECODE_THREAD_BYTES = 48 * MIB;

const fetchSchema = z
  .strictObject({
    maxWaitMs: durationMs('Longest wait of a broker for `minBytes`.', {
      min: 0,
      max: 60_000,
      default: '500ms',
    }),
    minBytes: bytes('Bytes that a broker waits for before it answers.', {
      min: 0,
      max: 256 * MIB,
      default: '1B',
    }),
    maxBytes: bytes('Most bytes in the answer to a fetch.', {
      min: 64 * 1024,
      max: 1024 * MIB,
      default: '32MiB',
    }),
    maxPartitionBytes: bytes('Most bytes of one partition in the answer to a fetch.', {
      min: 16 * 1024,
      max: 1024 * MIB,
      default: '4MiB',
    }),
    isolation: choice('Whether records of transactions that are open or aborted are carried as well.', [
      'read_committed',
      'read_uncommitted',
    ]).default('read_committed'),
  })
  .refine((fetch) => fetch.maxPartitionBytes <= fetch.maxBytes, {
    path: ['maxPartitionBytes'],
    error: 'must not be more than fetch.maxBytes',
    when: whenParsed('maxPartitionBytes', 'maxBytes'),
  })
  .refine((fetch) => fetch.minBytes <= fetch.maxBytes, {
    path: ['minBytes'],
    error: 'must not be more than fetch.maxBytes',
    when: whenParsed('minBytes', 'maxBytes'),
  })
  .prefault({})
  .meta({ description: 'How record batches are fetched.' });

const limitsSchema = z
  .strictObject({
    memoryBytes: bytes(
      'Memory of the whole process. What Node and its threads leave of it is for fetched, decoded and waiting bytes; close to its end chunks are cut early.',
      {
        min: 256 * MIB,
        max: 1024 ** 4,
        default: '512MiB',
      },
    ),
    decodeThreads: count('Worker threads that decode, sort into buckets and compress.', { min: 1, max: 256 })
      .optional()
      .meta({ defaultText: 'one per core, as far as they fit into half of `memoryBytes` at 48 MiB each' }),
  })
  .prefault({})
  .meta({ description: 'Bounds on what the transporter takes from the machine.' });

const memberName = pattern(
  'Name of this worker in the group, the same after a restart. Two workers on one machine need two names.',
  /^[A-Za-z0-9._-]{1,249}$/,
  'letters, digits, dots, underscores and dashes',
);

/** The transporter's file, as it is written. */
export const transporterConfigSchema = z
  .strictObject({
    cluster: clusterConfigSchema.meta({ description: 'The Kafka cluster to read from.' }),
    group: pattern(
      'Consumer group. The workers of one fleet share it.',
      /^\S{1,249}$/,
      'one word of at most 249 characters',
    ).default('skald-transporter'),
    member: memberName.optional().meta({ defaultText: 'the host name and the name of this file' }),
    ...rackFields,
    topics: z
      .array(topicSchema)
      .min(1, { error: 'must name at least one topic' })
      .meta({ description: 'The topics to carry.' }),
    store: storeConfigSchema,
    objects: objectsSchema,
    chunk: chunkSchema,
    success: success.meta({ defaultText: 'true where the template gives each bucket of a topic a folder' }),
    fetch: fetchSchema,
    startFrom: choice('Where to start in a partition that the group has not read before.', [
      'earliest',
      'latest',
    ]).default('earliest'),
    sessionTimeoutMs: durationMs('Silence after which the group takes the partitions of this worker away.', {
      min: 1000,
      max: 1_800_000,
      default: '30s',
    }),
    heartbeatIntervalMs: durationMs('Time between two heartbeats; less than a third of `sessionTimeoutMs`.', {
      min: 100,
      max: 600_000,
      default: '3s',
    }),
    rebalanceTimeoutMs: durationMs('Longest wait of the group for this worker in a rebalance.', {
      min: 1000,
      max: 3_600_000,
      default: '60s',
    }),
    leaveOnStop: flag(
      'Whether the group deals out the partitions of this worker as soon as it stops, instead of keeping them for its return ' +
        'within `sessionTimeoutMs`. For workers that do not come back under the same name, as in a fleet that scales by itself.',
    ).default(false),
    limits: limitsSchema,
    status: statusSchema(9465),
    shutdownTimeoutMs: durationMs(
      'Longest graceful stop: what is not committed by then is carried again after the start.',
      {
        min: 0,
        max: 600_000,
        default: '30s',
      },
    ),
    log: logSchema,
  })
  .superRefine(refuseTwoRacks, { when: whenRackParsed })
  .refine((config) => config.heartbeatIntervalMs * 3 < config.sessionTimeoutMs, {
    path: ['heartbeatIntervalMs'],
    error: 'must be less than a third of sessionTimeoutMs',
    when: whenParsed('heartbeatIntervalMs', 'sessionTimeoutMs'),
  })
  .refine((config) => config.fetch.maxWaitMs < config.cluster.requestTimeoutMs, {
    path: ['fetch', 'maxWaitMs'],
    error: 'must be less than cluster.requestTimeoutMs, or every fetch of a quiet partition times out',
    when: whenParsed('fetch', 'cluster'),
  })
  .superRefine(
    ({ topics, ...defaults }, context) => {
      for (const { path, message } of topicProblems(topics, defaults)) {
        context.addIssue({ code: 'custom', path: ['topics', ...path], message, continue: true });
      }
    },
    { when: whenParsed('topics', 'objects', 'chunk', 'success') },
  )
  .superRefine(
    ({ topics, store, ...defaults }, context) => {
      if (store.type !== 'local') return;
      for (const { path, message } of fileNameProblems(topics, defaults)) {
        context.addIssue({ code: 'custom', path: ['topics', ...path], message, continue: true });
      }
    },
    { when: whenParsed('topics', 'objects', 'chunk', 'success', 'store') },
  )
  .refine(({ fetch, limits }) => fetch.maxBytes <= limits.memoryBytes, {
    path: ['limits', 'memoryBytes'],
    error: 'must hold at least fetch.maxBytes',
    when: whenParsed('fetch', 'limits'),
  });

type ParsedTransporterConfig = z.output<typeof transporterConfigSchema>;

/** The transporter's file, fully defaulted and frozen: paths are absolute, `member` is known, `rack` is resolved. */
export type TransporterConfig = DeepReadonly<
  Omit<ParsedTransporterConfig, 'cluster' | 'member' | 'rack' | 'rackFile' | 'rackFrom' | 'topics' | 'limits'>
> & {
  readonly cluster: ClusterConfig;
  readonly member: string;
  /** Undefined when neither the file, the rack file nor SKALD_RACK names one. */
  readonly rack?: string | undefined;
  /** Where to ask for the rack instead (with-rack.ts); only without `rack`. */
  readonly rackFrom?: Ec2Placement | undefined;
  /** Every topic with its overrides applied to `objects` and `chunk`. */
  readonly topics: readonly TopicConfig[];
  readonly limits: { readonly memoryBytes: number; readonly decodeThreads: number };
};
