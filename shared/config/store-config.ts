import { z } from 'zod';
import {
  bytes,
  choice,
  count,
  durationMs,
  flag,
  path,
  pattern,
  text,
  whenParsed,
  type DeepReadonly,
} from './fields.ts';

const MIB = 1024 ** 2;

/** Limits of multipart uploads: docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const MIN_PART_BYTES = 5 * MIB;
const MAX_PART_BYTES = 5 * 1024 * MIB;

/** Canned ACLs: docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl */
const CANNED_ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'aws-exec-read',
  'authenticated-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
] as const;

const s3Schema = z
  .strictObject({
    type: z.literal('s3').meta({ description: 'Objects in Amazon S3 or a store that speaks its protocol.' }),
    bucket: pattern(
      'Bucket to write to. It must exist.',
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'an S3 bucket name: 3 to 63 lower-case letters, digits, dots and dashes',
    ),
    region: text('Region of the bucket.').default('us-east-1'),
    endpoint: z
      .url({ protocol: /^https?$/, error: 'must be a URL, such as http://127.0.0.1:9000' })
      .optional()
      .meta({ description: 'URL of the store, when it is not Amazon S3.' }),
    forcePathStyle: flag(
      'Put the bucket into the path of the URL instead of the host name; most other stores need it.',
    ).default(false),
    accessKeyId: text(
      'Access key; needs `secretAccessKey`. Without both: the credential chain of the AWS SDK.',
    ).optional(),
    secretAccessKey: text('Secret key; better as `${NAME}` from the environment.').optional(),
    serverSideEncryption: choice('Encryption at rest to ask for.', [
      'AES256',
      'aws:kms',
      'aws:kms:dsse',
    ]).optional(),
    kmsKeyId: text(
      'KMS key to encrypt with; needs `serverSideEncryption: aws:kms` or `aws:kms:dsse`.',
    ).optional(),
    storageClass: pattern(
      'Storage class of the objects.',
      /^[A-Z0-9_]+$/,
      'a storage class, such as STANDARD_IA',
    ).optional(),
    acl: choice(
      'Canned ACL of the objects; buckets with owner-enforced ownership refuse any.',
      CANNED_ACLS,
    ).optional(),
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .refine((tags) => Object.keys(tags).length <= 10, { error: 'S3 takes at most 10 tags on an object' })
      .optional()
      .meta({ description: 'Tags of the objects, at most 10.' }),
    multipartThresholdBytes: bytes('Objects of this size and more go up in parts.', {
      min: MIN_PART_BYTES,
      max: MAX_PART_BYTES,
      default: '16MiB',
    }),
    partBytes: bytes('Size of a part. S3 takes none below 5 MiB but the last.', {
      min: MIN_PART_BYTES,
      max: MAX_PART_BYTES,
      default: '8MiB',
    }),
    maxConcurrentUploads: count('Objects and parts on their way at once.', { min: 1, max: 256 }).default(4),
    requestTimeoutMs: durationMs('Longest wait for one request.', {
      min: 100,
      max: 3_600_000,
      default: '60s',
    }),
    maxAttempts: count('Attempts at one request, the first one included.', { min: 1, max: 20 }).default(5),
  })
  .refine((store) => (store.accessKeyId === undefined) === (store.secretAccessKey === undefined), {
    error:
      'accessKeyId and secretAccessKey belong together: give both, or neither for the credential chain of the SDK',
    when: whenParsed('accessKeyId', 'secretAccessKey'),
  })
  .refine(
    (store) => store.kmsKeyId === undefined || (store.serverSideEncryption ?? '').startsWith('aws:kms'),
    {
      path: ['kmsKeyId'],
      error: 'needs serverSideEncryption: aws:kms or aws:kms:dsse',
      when: whenParsed('kmsKeyId', 'serverSideEncryption'),
    },
  );

const localSchema = z.strictObject({
  type: z.literal('local').meta({ description: 'Objects as files in a folder, for trials and tests.' }),
  directory: path('Folder that holds the objects.'),
});

export const storeConfigSchema = z
  .discriminatedUnion('type', [s3Schema, localSchema])
  .meta({ description: 'Where the objects go.' });

export type StoreConfig = DeepReadonly<z.output<typeof storeConfigSchema>>;
export type S3StoreConfig = Extract<StoreConfig, { type: 's3' }>;
export type LocalStoreConfig = Extract<StoreConfig, { type: 'local' }>;
