import { z } from 'zod';
import { codecField, levelError, levelField, levelFitsCodec } from './codec-fields.ts';
import { columnsSchema } from './column-config.ts';
import { bytes, choice, durationMs, flag, pattern, text, whenParsed, type DeepReadonly } from './fields.ts';
import { templateProblems } from './object-layout.ts';
import { timeSchema, timeZoneName } from './time-config.ts';
import { TOPIC_NAME } from './topic-name.ts';

const MIB = 1024 ** 2;
export const DEFAULT_TEMPLATE =
  '{prefix}/{topic}/dt={yyyy}-{mm}-{dd}/hr={hh}/{partition}-{firstOffset}.{ext}';

/** Parquet's own LZ4 is of blocks, not of frames, and no reader prefers it to zstd. */
export const CODEC_OF_PARQUET = 'lz4 does not go with format parquet: use zstd, gzip or none';

export const COLUMNS_ARE_OF_PARQUET = 'are only for format: parquet';

export function codecFitsFormat({ codec, format }: { codec: string; format: string }): boolean {
  return format !== 'parquet' || codec !== 'lz4';
}

const prefix = pattern(
  'First part of the names of objects.',
  /^(?!(.*\/)?\.{1,2}(\/|$))[A-Za-z0-9!_.*'()=-]+(\/[A-Za-z0-9!_.*'()=-]+)*$/,
  'folders separated by /, of characters that are safe in S3 keys, none of them . or .., without / at either end',
);
const template = text(
  'Name of an object. Fields: `{prefix} {topic} {partition} {firstOffset} {yyyy} {mm} {dd} {hh} {mi} {ext}`; ' +
    'topic, partition, first offset and the time down to the bucket must be in it.',
);
const bucket = choice('Time that one object covers at most.', ['minute', 'hour', 'day']);
const timeZone = timeZoneName.meta({
  description: 'Time zone of the buckets and of the times in names: `UTC` or an IANA name.',
});
const format = choice(
  '`lines`: the value of each record and a line feed, in the order of offsets. `jsonl`: a line of JSON for each ' +
    'record, with topic, partition, offset, timestamp, key, headers and value. `parquet`: the same as columns, and `columns`.',
  ['lines', 'jsonl', 'parquet'],
);
const codec = codecField('Compression of the objects; inside of them with `parquet`, which takes no lz4.');
const level = levelField('Compression level.');
const levelRule = {
  path: ['level'],
  error: levelError,
  when: whenParsed('codec', 'level'),
};

const codecRule = { path: ['codec'], error: CODEC_OF_PARQUET, when: whenParsed('codec', 'format') };

const chunkFields = {
  maxBytes: bytes('Decoded bytes at which a chunk is cut.', {
    min: 64 * 1024,
    max: 5 * 1024 * MIB,
    default: '64MiB',
  }),
  maxAgeMs: durationMs(
    'Age at which a chunk is cut: the longest a record waits for its object in quiet times.',
    {
      min: 1000,
      max: 86_400_000,
      default: '5m',
    },
  ),
  bucketGraceMs: durationMs(
    'Wait after the end of a time bucket for its late records, before its chunk is cut.',
    {
      min: 0,
      max: 86_400_000,
      default: '30s',
    },
  ),
};

/** Names, format and compression of the objects of all topics that do not say otherwise. */
export const objectsSchema = z
  .strictObject({
    prefix: prefix.default('logs'),
    template: template.default(DEFAULT_TEMPLATE),
    bucket: bucket.default('hour'),
    timeZone: timeZone.default('UTC'),
    time: timeSchema.default({ type: 'timestamp' }).meta({ defaultText: '`type: timestamp`' }),
    format: format.default('lines'),
    columns: columnsSchema.default([]).meta({ defaultText: 'none' }),
    codec: codec.default('zstd'),
    level: level.optional().meta({ defaultText: '1 with zstd, 6 with gzip' }),
  })
  .refine(levelFitsCodec, levelRule)
  .refine(codecFitsFormat, codecRule)
  .refine(({ columns, format }) => columns.length === 0 || format === 'parquet', {
    path: ['columns'],
    error: COLUMNS_ARE_OF_PARQUET,
    when: whenParsed('columns', 'format'),
  })
  .superRefine(
    (objects, context) => {
      for (const message of templateProblems(objects.template, objects.bucket)) {
        context.addIssue({ code: 'custom', path: ['template'], message, continue: true });
      }
    },
    { when: whenParsed('template', 'bucket') },
  )
  .prefault({})
  .meta({ description: 'Names, format and compression of the objects; a topic may override each.' });

export const chunkSchema = z
  .strictObject(chunkFields)
  .prefault({})
  .meta({ description: 'When a chunk is cut, and so how large objects are; a topic may override each.' });

export const success = flag(
  'Whether a `_SUCCESS` object is written into the folder of a time bucket when every partition has passed it.',
).optional();

/** For the reference page: where the value of a topic comes from when it says nothing. */
const AS_OBJECTS = { defaultText: 'as in `objects`' };
const AS_CHUNK = { defaultText: 'as in `chunk`' };

/** One topic to carry, and what is different about it. */
export const topicSchema = z.strictObject({
  topic: pattern(
    'Topic to carry.',
    TOPIC_NAME,
    'a Kafka topic name: letters, digits, dots, underscores, dashes; at most 249',
  ),
  prefix: prefix.optional().meta(AS_OBJECTS),
  template: template.optional().meta(AS_OBJECTS),
  bucket: bucket.optional().meta(AS_OBJECTS),
  timeZone: timeZone.optional().meta(AS_OBJECTS),
  time: timeSchema.optional().meta(AS_OBJECTS),
  format: format.optional().meta(AS_OBJECTS),
  columns: columnsSchema.optional().meta(AS_OBJECTS),
  codec: codec.optional().meta(AS_OBJECTS),
  level: level.optional().meta(AS_OBJECTS),
  chunk: z
    .strictObject({
      maxBytes: chunkFields.maxBytes.unwrap().optional().meta(AS_CHUNK),
      maxAgeMs: chunkFields.maxAgeMs.unwrap().optional().meta(AS_CHUNK),
      bucketGraceMs: chunkFields.bucketGraceMs.unwrap().optional().meta(AS_CHUNK),
    })
    .optional()
    .meta({ description: 'As `chunk`, for this topic.' }),
  success: success.meta({ defaultText: 'as in the file' }),
});

export type ChunkConfig = DeepReadonly<z.output<typeof chunkSchema>>;
export type ParsedTopic = z.output<typeof topicSchema>;
export type ObjectsConfig = DeepReadonly<z.output<typeof objectsSchema>>;
