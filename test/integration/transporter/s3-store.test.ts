import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CreateMultipartUploadCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { S3StoreConfig } from '../../../shared/config/store-config.ts';
import type { ObjectStore } from '../../../transporter/store/object-store.ts';
import { openS3Store } from '../../../transporter/store/s3-store.ts';
import {
  emptySuccess,
  type Fault,
  flipBit,
  refuse,
  reset,
  silence,
  stallBody,
  strikeConditions,
} from '../../support/s3-fault-proxy.ts';
import { sharedS3Client, sharedS3FaultProxy, unfinishedUploads } from '../../support/shared-s3.ts';
import { freshPrefix, sharedStack } from '../../support/shared-stack.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const MIB = 1024 * 1024;
/** What S3 lists at once at most: docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
const PAGE = 1_000;
const signal = new AbortController().signal;
const options = { contentType: 'application/zstd', metadata: { 'skald-records': '12' }, signal };

function storeConfig(overrides: Partial<S3StoreConfig> = {}): S3StoreConfig {
  const { s3 } = sharedStack();
  return {
    type: 's3',
    ...s3,
    forcePathStyle: true,
    multipartThresholdBytes: 16 * MIB,
    partBytes: 5 * MIB,
    maxConcurrentUploads: 4,
    requestTimeoutMs: 10_000,
    maxAttempts: 2,
    ...overrides,
  };
}

function open(
  overrides: Partial<S3StoreConfig> = {},
  observe?: Parameters<typeof openS3Store>[1],
): ObjectStore {
  const store = openS3Store(storeConfig(overrides), observe);
  onTestFinished(() => store.close());
  return store;
}

const stored = (key: string): Promise<Buffer> =>
  readFile(join(sharedStack().objectsDir, sharedStack().s3.bucket, key));

describe('openS3Store', () => {
  it('puts a small object of several parts with its type and metadata, and never over another', async () => {
    const key = `${freshPrefix()}/0-5.log.zst`;
    const store = open();
    await store.check();
    expect(await store.describe(key)).toBeUndefined();
    expect(await store.put(key, [Buffer.from('one'), Buffer.from('two')], options)).toBeUndefined();
    const other = { ...options, metadata: { 'skald-records': '7' } };
    expect(await store.put(key, [Buffer.from('another version')], other)).toEqual(options.metadata);
    expect(await store.describe(key)).toEqual(options.metadata);
    expect((await stored(key)).toString()).toBe('onetwo');
    const head = await sharedS3Client().send(
      new HeadObjectCommand({ Bucket: sharedStack().s3.bucket, Key: key }),
    );
    expect(head).toMatchObject({
      ContentType: 'application/zstd',
      Metadata: { 'skald-records': '12' },
      ContentLength: 6,
    });
  });

  it('puts a large object in parts, whose borders are not those of the frames, and leaves nothing unfinished', async () => {
    const key = `${freshPrefix()}/large.log.zst`;
    const proxy = await sharedS3FaultProxy();
    const store = open({ endpoint: proxy.endpoint });
    const frames = Array.from({ length: 23 }, (_, i) => Buffer.alloc(MIB - 7 * i, i));
    expect(await store.put(key, frames, options)).toBeUndefined();
    expect((await stored(key)).equals(Buffer.concat(frames))).toBe(true);
    expect(proxy.requests.map(({ operation }) => operation)).toEqual([
      'CreateMultipartUpload',
      ...Array.from({ length: 5 }, () => 'UploadPart'),
      'CompleteMultipartUpload',
    ]);
    const other = { ...options, metadata: { 'skald-records': '7' } };
    expect(await store.put(key, frames.toReversed(), other)).toEqual(options.metadata);
    expect((await stored(key)).equals(Buffer.concat(frames))).toBe(true);
    expect(await unfinishedUploads(key)).toEqual([]);
  });

  it('lists a folder of more objects than the store puts on one page, with the folders below it', async () => {
    const folder = `${freshPrefix()}/hr=11/`;
    const proxy = await sharedS3FaultProxy();
    const store = open({ endpoint: proxy.endpoint });
    expect(await store.list(folder, signal)).toEqual({ objects: [], folders: [] });
    const keys = Array.from({ length: PAGE + 5 }, (_, i) => `${folder}${String(i).padStart(4, '0')}.log`);
    // Behind and below, among and beside them.
    const others = [`${folder}0500.d/deeper/a`, `${folder}zz/b`, `${folder.slice(0, -1)}b/c`];
    // As files, which objects of this store are: a thousand puts would take it half a minute.
    for (const key of [...keys, ...others]) {
      const file = join(sharedStack().objectsDir, sharedStack().s3.bucket, key);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, key);
    }
    proxy.strike({ name: 'one page is lost', operation: 'other', fault: reset, times: 1 });
    const before = proxy.requests.length;
    const { objects, folders } = await store.list(folder, signal);
    expect(objects.map(({ key }) => key).toSorted()).toEqual(keys);
    expect(objects.every(({ key, bytes }) => bytes === key.length)).toBe(true);
    expect(folders.toSorted()).toEqual(['0500.d', 'zz']);
    expect(proxy.requests.slice(before).map(({ fault }) => fault)).toEqual([
      'one page is lost',
      undefined,
      undefined,
    ]);
  });

  it('looks before it stores where the store knows no If-None-Match, which is said once', async () => {
    const prefix = freshPrefix();
    const [small, large] = [`${prefix}/small`, `${prefix}/large`];
    const proxy = await sharedS3FaultProxy();
    strikeConditions(proxy);
    const conditionsUnknown = vi.fn<() => void>();
    const store = open({ endpoint: proxy.endpoint }, { conditionsUnknown });
    const frames = Array.from({ length: 17 }, (_, i) => Buffer.alloc(MIB, i));
    expect(await store.put(large, frames, options)).toBeUndefined();
    expect(conditionsUnknown).toHaveBeenCalledOnce();
    const refused = proxy.requests.filter(({ fault }) => fault !== undefined).length;
    expect(await store.put(small, [Buffer.from('first')], options)).toBeUndefined();
    const other = { ...options, metadata: { 'skald-records': '7' } };
    for (const key of [small, large])
      expect(await store.put(key, [Buffer.from('second')], other)).toEqual(options.metadata);
    expect((await stored(small)).toString()).toBe('first');
    expect((await stored(large)).equals(Buffer.concat(frames))).toBe(true);
    expect(conditionsUnknown).toHaveBeenCalledOnce();
    // It does not ask in vain again, and what it had begun to find out is dropped.
    expect(proxy.requests.filter(({ fault }) => fault !== undefined)).toHaveLength(refused);
    expect(await unfinishedUploads(prefix)).toEqual([]);
  });

  it('keeps the condition where something else is not implemented, and says what the store says', async () => {
    const key = `${freshPrefix()}/a`;
    const proxy = await sharedS3FaultProxy();
    const fault = refuse(501, 'NotImplemented');
    const lift = proxy.strike({ name: 'no tags', operation: 'PutObject', fault });
    const conditionsUnknown = vi.fn<() => void>();
    const store = open({ endpoint: proxy.endpoint }, { conditionsUnknown });
    await expect(store.put(key, [Buffer.from('x')], options)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('HTTP 501, NotImplemented'),
    });
    lift();
    await store.put(key, [Buffer.from('x')], options);
    expect(proxy.requests.at(-1)?.headers['if-none-match']).toBe('*');
    expect(conditionsUnknown).not.toHaveBeenCalled();
  });

  it('drops the unfinished upload of a dead owner under one name only', async () => {
    const { bucket } = sharedStack().s3;
    const prefix = freshPrefix();
    const s3 = sharedS3Client();
    for (const name of ['0-5.log', '0-50.log']) {
      await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${prefix}/${name}` }));
    }
    // It gives up after three seconds, well below what a stop may take, and a busy store can need more.
    const patience = { timeout: 60_000 };
    await vi.waitFor(() => open().abortUnfinished(`${prefix}/0-5.log`), patience);
    expect(await unfinishedUploads(prefix)).toEqual([`${prefix}/0-50.log`]);
    await vi.waitFor(() => open().abortUnfinished(`${prefix}/0-50.log`), patience);
  });

  it.each([
    ['a bucket that does not exist', { bucket: 'no-such-bucket' }, 'STORE_BUCKET_MISSING'],
    ['a wrong secret key', { secretAccessKey: 'wrong' }, 'STORE_DENIED'],
    ['an unknown access key', { accessKeyId: 'unknown' }, 'STORE_DENIED'],
    ['nobody at the endpoint', { endpoint: 'http://127.0.0.1:1' }, 'STORE_UNREACHABLE'],
  ] as const)('says at the start what is wrong with %s', async (_, overrides, code) => {
    await expect(open(overrides).check()).rejects.toMatchObject({ code });
    await expect(open(overrides).put('a', [Buffer.from('a')], options)).rejects.toMatchObject({ code });
  });

  it('tries again on 503 SlowDown with fewer requests at once, and reports what still fails after its attempts', async () => {
    const proxy = await sharedS3FaultProxy();
    const failures: string[] = [];
    const slots: number[] = [];
    const store = open(
      { endpoint: proxy.endpoint },
      { attemptFailed: (code) => failures.push(code), slotsAllowed: (count) => slots.push(count) },
    );
    const key = `${freshPrefix()}/slowly`;
    proxy.strike({ name: 'slow down', fault: refuse(503, 'SlowDown'), times: 1 });
    await store.put(key, [Buffer.from('a')], options);
    expect((await stored(key)).toString()).toBe('a');
    proxy.strike({ name: 'slow down', fault: refuse(503, 'SlowDown') });
    const put = store.put(key, [Buffer.from('a')], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
    expect(failures).toEqual(['STORE_FAILED', 'STORE_FAILED', 'STORE_FAILED']);
    expect(slots[0]).toBe(2); // of four
  });

  it.each([
    ['never answers', silence],
    ['answers with a head and no body', stallBody],
  ])('gives up on a store that %s, and at once when the partition is gone', async (_, fault) => {
    const proxy = await sharedS3FaultProxy();
    proxy.strike({ name: 'quiet', fault });
    const key = `${freshPrefix()}/quiet`;
    const store = open({ endpoint: proxy.endpoint, requestTimeoutMs: 300, maxAttempts: 1 });
    const put = store.put(key, [Buffer.from('a')], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const gone = new AbortController();
    const patient = open({ endpoint: proxy.endpoint, requestTimeoutMs: 60_000 });
    const given = patient.put(key, [Buffer.from('a')], { ...options, signal: gone.signal });
    await waitFor(() => proxy.requests.length === 2, { timeoutMs: 60_000, what: 'the second request' });
    gone.abort(new Error('gone'));
    await expect(given).rejects.toThrow('gone');
  });

  it.each([
    ['a part', 'UploadPart'],
    ['an object', 'PutObject'],
  ] as const)('does not take a success for %s stored that no store has given', async (_, operation) => {
    const proxy = await sharedS3FaultProxy();
    proxy.strike({ name: 'a page', fault: emptySuccess, operation });
    const content = Buffer.alloc(operation === 'PutObject' ? 10 : 16 * MIB, 'x');
    const key = `${freshPrefix()}/nowhere`;
    const put = open({ endpoint: proxy.endpoint }).put(key, [content], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(stored(key)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('does not believe in objects, or in their absence, on the word of somebody else', async () => {
    const proxy = await sharedS3FaultProxy();
    proxy.strike({ name: 'a page', fault: emptySuccess });
    const store = open({ endpoint: proxy.endpoint });
    await expect(store.describe('some/key')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(store.list('some/', signal)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('touches no object when an upload begins without an id', async () => {
    const proxy = await sharedS3FaultProxy();
    const key = `${freshPrefix()}/precious`;
    await open().put(key, [Buffer.from('what is there')], options);
    proxy.strike({ name: 'a page', fault: emptySuccess, operation: 'CreateMultipartUpload' });
    const put = open({ endpoint: proxy.endpoint }).put(key, [Buffer.alloc(16 * MIB)], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await stored(key)).toString()).toBe('what is there');
    expect(proxy.requests.map(({ operation }) => operation)).toEqual(['CreateMultipartUpload']);
  });

  it('compares the checksum that the store has computed', async () => {
    const proxy = await sharedS3FaultProxy();
    const storedWith =
      (checksum: string): Fault =>
      ({ response }) => {
        response.writeHead(200, { etag: '"e"', 'x-amz-checksum-crc32c': checksum }).end();
      };
    const store = open({ endpoint: proxy.endpoint, maxAttempts: 1 });
    // "123456789" is the check value's input in the catalogue of CRCs: CRC-32/ISCSI is 0xe3069283.
    const content = [Buffer.from('123456789')];
    proxy.strike({ name: 'right', fault: storedWith('4waSgw=='), times: 1 });
    await store.put('a', content, options);
    proxy.strike({ name: 'wrong', fault: storedWith('AAAAAA=='), times: 1 });
    await expect(store.put('a', content, options)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('is refused by the store when a bit turns on the way, and writes nothing', async () => {
    const proxy = await sharedS3FaultProxy();
    proxy.strike({ name: 'flip', fault: flipBit });
    const key = `${freshPrefix()}/turned`;
    const put = open({ endpoint: proxy.endpoint }).put(key, [Buffer.from('content')], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(stored(key)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('what the settings ask for', () => {
  const settings = {
    serverSideEncryption: 'aws:kms',
    kmsKeyId: 'key-1',
    storageClass: 'STANDARD_IA',
    acl: 'bucket-owner-full-control',
    tags: { team: 'logs & more', tier: '1' },
  } as const;
  // Headers of PutObject and CreateMultipartUpload in the S3 API reference.
  const headers = {
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-acl': 'bucket-owner-full-control',
    'x-amz-tagging': 'team=logs+%26+more&tier=1',
    'content-type': 'application/zstd',
    'x-amz-meta-skald-records': '12',
  };

  it.each([
    ['PutObject', 10],
    ['CreateMultipartUpload', 16 * MIB],
  ] as const)('is on the wire with %s', async (operation, bytes) => {
    const proxy = await sharedS3FaultProxy();
    // The stack's store knows neither keys nor classes: what matters is what it is asked.
    proxy.strike({ name: 'seen', operation, fault: refuse(400, 'InvalidRequest') });
    const store = open({ endpoint: proxy.endpoint, ...settings });
    const put = store.put('some/key', [Buffer.alloc(bytes)], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(proxy.requests[0]).toMatchObject({ operation, headers });
    expect(proxy.requests[0]?.url).toMatch(`/${sharedStack().s3.bucket}/some/key`);
  });

  it('is encryption with the keys of S3, too, and nothing that was not set', async () => {
    const proxy = await sharedS3FaultProxy();
    const asked = async (overrides: Partial<S3StoreConfig>): Promise<string[]> => {
      proxy.strike({ name: 'seen', fault: refuse(400, 'InvalidRequest'), times: 1 });
      const put = open({ endpoint: proxy.endpoint, ...overrides }).put('k', [Buffer.from('a')], options);
      await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
      return Object.keys(proxy.requests.at(-1)!.headers).filter((name) => Object.hasOwn(headers, name));
    };
    const always = ['content-type', 'x-amz-meta-skald-records'];
    expect((await asked({})).toSorted()).toEqual(always);
    expect((await asked({ serverSideEncryption: 'AES256' })).toSorted()).toEqual([
      ...always,
      'x-amz-server-side-encryption',
    ]);
    expect(proxy.requests.at(-1)?.headers['x-amz-server-side-encryption']).toBe('AES256');
  });
});

describe('who asks, and when', () => {
  it('reads a credentials file again when the store refuses what it had, and nobody notices', async () => {
    const { accessKeyId, secretAccessKey, ...rest } = storeConfig();
    const credentialsFile = join(await tempDir(), 'credentials');
    const rotate = (keyId: string): Promise<void> =>
      writeFile(
        credentialsFile,
        `[default]\naws_access_key_id = ${keyId}\naws_secret_access_key = ${secretAccessKey}\n`,
      );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', credentialsFile);
    onTestFinished(() => void vi.unstubAllEnvs());
    await rotate('an-old-one');
    const proxy = await sharedS3FaultProxy();
    const store = openS3Store({ ...rest, endpoint: proxy.endpoint });
    onTestFinished(() => store.close());
    // The store knows only one key, so the first look is made to succeed with the other.
    proxy.strike({ name: 'in the beginning', fault: emptySuccess, times: 1 });
    await store.check();
    await rotate(accessKeyId!);
    const key = `${freshPrefix()}/rotated`;
    await store.put(key, [Buffer.from('a')], options);
    expect(proxy.requests.map((request) => request.stored)).toEqual([undefined, 403, 200]);
    expect((await stored(key)).toString()).toBe('a');
  });

  it('corrects a clock that is two hours off by what the store says, on both sides', async () => {
    onTestFinished(() => void vi.useRealTimers());
    for (const hours of [2, -2]) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 3_600_000 });
      const key = `${freshPrefix()}/skewed`;
      const proxy = await sharedS3FaultProxy();
      await open({ endpoint: proxy.endpoint }).put(key, [Buffer.from('a')], options);
      vi.useRealTimers();
      expect((await stored(key)).toString()).toBe('a');
      expect(proxy.requests.map((request) => request.stored)).toEqual([403, 200]);
    }
  });
});

describe('an upload in parts that is given up', () => {
  it.each([
    ['before it has an id', 'CreateMultipartUpload', loseAnswerQuietly],
    ['while a part is on its way', 'UploadPart', silence],
    ['while it is completed', 'CompleteMultipartUpload', silence],
  ] as const)('is dropped %s', async (_, operation, fault) => {
    const proxy = await sharedS3FaultProxy();
    proxy.strike({ name: 'held', operation, fault });
    const key = `${freshPrefix()}/given-up`;
    const gone = new AbortController();
    const store = open({ endpoint: proxy.endpoint });
    const put = store.put(key, [Buffer.alloc(16 * MIB)], { ...options, signal: gone.signal });
    put.catch(() => {});
    const isHeld = (): boolean => proxy.requests.some((request) => request.fault === 'held');
    await waitFor(async () => isHeld() && (await unfinishedUploads(key)).length === 1, {
      timeoutMs: 90_000,
      what: 'the upload is under way',
    });
    gone.abort(new Error('gone'));
    await store.close();
    expect(await unfinishedUploads(key)).toEqual([]);
    await expect(put).rejects.toThrow('gone');
  });
});

/** The store does as it is asked, and nobody hears of it. */
async function loseAnswerQuietly({ pass }: Parameters<Fault>[0]): Promise<void> {
  await pass();
}
