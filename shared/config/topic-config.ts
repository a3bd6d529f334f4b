import { levelError, levelFitsCodec, levelOrDefault } from './codec-fields.ts';
import { MAX_LAYOUT_BYTES, packedBytes } from './intent-layout.ts';
import { bucketFolderProblem, templateParts, templateProblems } from './object-layout.ts';
import {
  type ChunkConfig,
  CODEC_OF_PARQUET,
  codecFitsFormat,
  COLUMNS_ARE_OF_PARQUET,
  type ObjectsConfig,
  type ParsedTopic,
} from './objects-config.ts';

/** Longest key of an object in bytes of UTF-8: docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const MAX_KEY_BYTES = 1024;

/** NAME_MAX of Linux's usual file systems. */
const MAX_FILE_NAME_BYTES = 255;
/** What local-store.ts adds to a name at most: dots, `meta.json`, `part-` and a UUID. */
const UNFINISHED_SUFFIX = `...meta.json.part-${'x'.repeat(36)}`;
/** Most digits or letters of a field's value: a partition is an i32, an offset an i64 and perhaps the id of a chunk. */
const LONGEST_VALUES: Readonly<Record<string, number>> = { partition: 10, firstOffset: 32, yyyy: 4, ext: 16 };

/** A topic with everything that `objects` and `chunk` say about it filled in. */
export interface TopicConfig extends Omit<ObjectsConfig, 'level'> {
  readonly topic: string;
  /** Set with zstd and gzip, undefined with the codecs that have no levels. */
  readonly level?: number | undefined;
  readonly chunk: ChunkConfig;
  /** Whether its finished buckets get a `_SUCCESS`. */
  readonly success: boolean;
}

/** What the file says for all topics. */
interface TopicDefaults {
  objects: ObjectsConfig;
  chunk: ChunkConfig;
  success?: boolean | undefined;
}

/** The topic's own settings over those of the file. A level belongs to the codec it was given for. */
export function resolveTopic(topic: ParsedTopic, { objects, chunk, success }: TopicDefaults): TopicConfig {
  const codec = topic.codec ?? objects.codec;
  const level = topic.level ?? (codec === objects.codec ? objects.level : undefined);
  const format = topic.format ?? objects.format;
  const template = topic.template ?? objects.template;
  const bucket = topic.bucket ?? objects.bucket;
  return {
    topic: topic.topic,
    prefix: topic.prefix ?? objects.prefix,
    template,
    bucket,
    timeZone: topic.timeZone ?? objects.timeZone,
    time: topic.time ?? objects.time,
    format,
    columns: format === 'parquet' ? (topic.columns ?? objects.columns) : [],
    codec,
    level: levelOrDefault(codec, level),
    chunk: {
      maxBytes: topic.chunk?.maxBytes ?? chunk.maxBytes,
      maxAgeMs: topic.chunk?.maxAgeMs ?? chunk.maxAgeMs,
      bucketGraceMs: topic.chunk?.bucketGraceMs ?? chunk.bucketGraceMs,
    },
    success: topic.success ?? success ?? bucketFolderProblem(template, bucket) === undefined,
  };
}

interface TopicProblem {
  /** Below `topics`: the index, and the key when it is about one. */
  readonly path: (string | number)[];
  readonly message: string;
}

/** What is wrong between topics, and between a topic and the defaults it overrides; empty when all is well. */
export function topicProblems(topics: readonly ParsedTopic[], defaults: TopicDefaults): TopicProblem[] {
  const problems: TopicProblem[] = [];
  const names = new Set<string>();
  const firstWithLayout = new Map<string, string>();
  for (const [index, topic] of topics.entries()) {
    const resolved = resolveTopic(topic, defaults);
    problems.push(
      ...overrideProblems(topic, resolved).map(({ key, message }) => ({ path: [index, key], message })),
    );

    if (names.has(topic.topic))
      problems.push({ path: [index, 'topic'], message: 'is listed twice: remove one' });
    names.add(topic.topic);

    const layout = layoutOf(resolved);
    const rival = firstWithLayout.get(layout);
    if (rival !== undefined && rival !== topic.topic) {
      const message = `its objects would get the names of those of topic ${rival}: change the prefix or the template`;
      problems.push({ path: [index, 'topic'], message });
    }
    firstWithLayout.set(layout, topic.topic);

    const bytes = packedBytes(resolved);
    if (bytes > MAX_LAYOUT_BYTES) {
      const message = `its layout takes ${bytes} bytes of the ${MAX_LAYOUT_BYTES} that the metadata of an offset has for it: use fewer columns, or shorter names, fields and patterns`;
      problems.push({ path: [index, 'topic'], message });
    }

    const name = longestName(resolved);
    if (Buffer.byteLength(name) > MAX_KEY_BYTES) {
      const message = `the names of its objects could be longer than the ${MAX_KEY_BYTES} bytes that S3 takes`;
      problems.push({ path: [index, 'topic'], message });
    }
  }
  return problems;
}

/** What a folder could never store. An intent would promise it all the same, and be kept whatever the file says later. */
export function fileNameProblems(topics: readonly ParsedTopic[], defaults: TopicDefaults): TopicProblem[] {
  return topics.flatMap((topic, index) => {
    const parts = longestName(resolveTopic(topic, defaults)).split('/');
    const file = `${parts.pop()}${UNFINISHED_SUFFIX}`;
    const longest = Math.max(...[...parts, file].map((part) => Buffer.byteLength(part)));
    if (longest <= MAX_FILE_NAME_BYTES) return [];
    const message = `the names of its files or folders could take ${longest} bytes with what is added while they are written, and file systems take ${MAX_FILE_NAME_BYTES}: use a shorter template, or more folders in it`;
    return [{ path: [index, 'topic'], message }];
  });
}

function overrideProblems(topic: ParsedTopic, resolved: TopicConfig): { key: string; message: string }[] {
  const problems: { key: string; message: string }[] = [];
  const compression = { codec: resolved.codec, level: topic.level };
  if (!levelFitsCodec(compression))
    problems.push({ key: 'level', message: levelError({ input: compression }) });
  if ((topic.columns ?? []).length > 0 && resolved.format !== 'parquet')
    problems.push({ key: 'columns', message: COLUMNS_ARE_OF_PARQUET });
  if (!codecFitsFormat(resolved))
    problems.push({ key: topic.codec === undefined ? 'format' : 'codec', message: CODEC_OF_PARQUET });
  const folderProblem = bucketFolderProblem(resolved.template, resolved.bucket);
  if (resolved.success && folderProblem !== undefined) {
    const message = `its buckets have no folder of their own to put _SUCCESS into: ${folderProblem}, or say success: false`;
    problems.push({ key: topic.success === undefined ? 'topic' : 'success', message });
  }
  if (topic.template === undefined && topic.bucket === undefined) return problems;
  const key = topic.template === undefined ? 'bucket' : 'template';
  const about = topic.template === undefined ? 'objects.template does not fit it: ' : '';
  for (const message of templateProblems(resolved.template, resolved.bucket)) {
    problems.push({ key, message: `${about}${message}` });
  }
  return problems;
}

/** The names of a topic's objects with only what differs between its objects left open. */
function layoutOf(topic: TopicConfig): string {
  return templateParts(topic.template)
    .map((part) => {
      if ('literal' in part) return part.literal;
      if (part.field === 'prefix') return topic.prefix;
      return part.field === 'topic' ? topic.topic : `{${part.field}}`;
    })
    .join('');
}

/** As long as the name of an object of the topic can be, with its slashes. */
function longestName(topic: TopicConfig): string {
  return templateParts(topic.template)
    .map((part) => {
      if ('literal' in part) return part.literal;
      if (part.field === 'prefix') return topic.prefix;
      return part.field === 'topic' ? topic.topic : 'x'.repeat(LONGEST_VALUES[part.field] ?? 2);
    })
    .join('');
}
