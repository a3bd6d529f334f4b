import { z } from 'zod';
import { codecField, levelError, levelField, levelFitsCodec } from './codec-fields.ts';
import { bytes, choice, count, durationMs, pattern, text, whenParsed, type DeepReadonly } from './fields.ts';
import { type FramingConfig, framingSchema } from './framing-config.ts';
import { type PartitionerConfig, partitionerSchema } from './partitioner-config.ts';
import { TOPIC_NAME } from './topic-name.ts';

const KIB = 1024;
const MIB = 1024 ** 2;

/** Names that become labels, journal entries and parts of paths. */
export const PIPELINE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const absoluteGlob = z
  .string()
  .regex(/^\//, { error: 'must be an absolute path or glob, such as /var/log/app/*.log' });

const filesSchema = z
  .strictObject({
    include: z.array(absoluteGlob).min(1, { error: 'must hold at least one glob' }).meta({
      description: 'Globs of the files to carry, absolute. `*`, `**`, `?`, `[…]` and `{a,b}` work.',
    }),
    exclude: z
      .array(absoluteGlob)
      .default([])
      .meta({ description: 'Globs of files to leave alone although `include` matches them.' }),
  })
  .meta({ description: 'Which files belong to the pipeline.' });

const discoverySchema = z
  .strictObject({
    watch: choice(
      'How changes are noticed: `auto` has the kernel tell of them (inotify) where it can and polls elsewhere (NFS, FUSE and the like, directories that turn out to be deaf); `poll` always polls.',
      ['auto', 'poll'],
    ).default('auto'),
    scanIntervalMs: durationMs(
      'Time between two looks for new files where they are polled for; longer where a look takes more than a fiftieth of it. Also between two tries to open a file.',
      {
        min: 100,
        max: 3_600_000,
        default: '1s',
      },
    ),
    pollIntervalMs: durationMs(
      'Least time between two looks for new bytes in a file that is polled; it grows to a tenth of the time for which the file was quiet, at most a minute.',
      {
        min: 10,
        max: 600_000,
        default: '250ms',
      },
    ),
    closeIdleAfterMs: durationMs(
      'Time without reading after which a file that was read and acknowledged to its end is closed. It is opened again when it grows; what is written to it and deleted before that is lost.',
      {
        min: 0,
        max: 86_400_000,
        default: '5m',
      },
    ),
    closeRotatedAfterMs: durationMs(
      'Time without new bytes after which a renamed or deleted file is let go.',
      {
        min: 0,
        max: 86_400_000,
        default: '5s',
      },
    ),
    partialLineTimeoutMs: durationMs(
      'Time after which the last line of a file that was let go counts as whole without its line break.',
      {
        min: 0,
        max: 86_400_000,
        default: '5s',
      },
    ),
  })
  .prefault({})
  .meta({ description: 'How files are found and watched.' });

const limitsSchema = z
  .strictObject({
    bytesPerSecond: bytes(
      'Most bytes that are read from the files in a second, in the long run. The rest waits in the files.',
      { min: 1 * KIB, max: 64 * 1024 * MIB, default: '64GiB' },
    )
      .unwrap()
      .optional()
      .meta({ defaultText: 'no limit' }),
    burstBytes: bytes('Most bytes that are read at once after a pause.', {
      min: 1 * KIB,
      max: 64 * 1024 * MIB,
      default: '64GiB',
    })
      .unwrap()
      .optional()
      .meta({ defaultText: 'as many as in a second' }),
  })
  .refine(({ bytesPerSecond, burstBytes }) => burstBytes === undefined || bytesPerSecond !== undefined, {
    path: ['burstBytes'],
    error: 'says nothing without bytesPerSecond: set that too, or leave both out',
    when: whenParsed('bytesPerSecond', 'burstBytes'),
  })
  .prefault({})
  .meta({ description: 'How much of the machine and of the network the pipeline may take.' });

const kafkaSchema = z
  .strictObject({
    cluster: text('Name of one of the `clusters` of the host file.')
      .optional()
      .meta({ description: 'Name of one of the `clusters` of the host file.', defaultText: 'the only one' }),
    topic: pattern(
      'Topic to write to.',
      TOPIC_NAME,
      'a Kafka topic name: letters, digits, dots, underscores, dashes; at most 249',
    ),
    codec: codecField('Compression of the batches.').default('zstd'),
    level: levelField('Compression level.').optional().meta({ defaultText: '1 with zstd, 6 with gzip' }),
    batchBytes: bytes(
      'Most bytes of records that go into a batch, before compression. Fewer, when the topic would not take them compressed.',
      {
        min: 1 * KIB,
        max: 64 * MIB,
        default: '4MiB',
      },
    ),
    lingerMs: durationMs('Longest wait of a record for its batch to fill.', {
      min: 0,
      max: 600_000,
      default: '200ms',
    }),
    maxInFlight: count(
      'Batches sent and not yet acknowledged. Five is what a broker remembers of a producer.',
      {
        min: 1,
        max: 5,
      },
    ).default(5),
    requestTimeoutMs: durationMs('Longest wait for the acknowledgement of a batch before it is sent again.', {
      min: 100,
      max: 600_000,
      default: '30s',
    }),
  })
  .refine(levelFitsCodec, {
    path: ['level'],
    error: levelError,
    when: whenParsed('codec', 'level'),
  })
  .meta({ description: 'Where the records go.' });

/** A pipeline, as a file says it. */
export const pipelineConfigSchema = z.strictObject({
  name: pattern(
    'Name in metrics, logs and the journal. Another name is another pipeline, which starts anew.',
    PIPELINE_NAME,
    'letters, digits, dots, underscores and dashes; at most 100',
  )
    .optional()
    .meta({ defaultText: 'the file name without `.yaml`' }),
  files: filesSchema,
  startAt: choice('Where to start in files that are there when the pipeline starts for the first time.', [
    'beginning',
    'end',
  ]).default('beginning'),
  framing: framingSchema,
  discovery: discoverySchema,
  limits: limitsSchema,
  kafka: kafkaSchema,
  partitioner: partitionerSchema,
});

type ParsedPipelineConfig = z.output<typeof pipelineConfigSchema>;

/** A pipeline, fully defaulted and frozen. */
export type PipelineConfig = DeepReadonly<
  Omit<ParsedPipelineConfig, 'name' | 'framing' | 'kafka' | 'partitioner'>
> & {
  readonly name: string;
  /** Absolute path of the file it came from; for messages. */
  readonly file: string;
  readonly kafka: DeepReadonly<Omit<ParsedPipelineConfig['kafka'], 'cluster' | 'level'>> & {
    /** A key of `AgentConfig.clusters`. */
    readonly cluster: string;
    /** Set with zstd and gzip, undefined with the codecs that have no levels. */
    readonly level?: number | undefined;
  };
  readonly framing: FramingConfig;
  readonly partitioner: PartitionerConfig;
};
