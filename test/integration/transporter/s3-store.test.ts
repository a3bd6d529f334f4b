import { createServer, request, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { S3StoreConfig } from '../../../shared/config/store-config.ts';
import type { ObjectStore } from '../../../transporter/store/object-store.ts';
import { openS3Store } from '../../../transporter/store/s3-store.ts';
import { freshPrefix, sharedStack } from '../../support/shared-stack.ts';

const MIB = 1024 * 1024;
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

function client(): S3Client {
  const { s3 } = sharedStack();
  const s3Client = new S3Client({ ...s3, credentials: s3, forcePathStyle: true });
  onTestFinished(() => s3Client.destroy());
  return s3Client;
}

const stored = (key: string): Promise<Buffer> =>
  readFile(join(sharedStack().objectsDir, sharedStack().s3.bucket, key));

describe('openS3Store', () => {
  it('puts a small object of several parts with its type and metadata, and over one of the same name', async () => {
    const key = `${freshPrefix()}/0-5.log.zst`;
    const store = open();
    await store.check();
    await store.put(key, [Buffer.from('an older and longer version')], options);
    await store.put(key, [Buffer.from('one'), Buffer.from('two')], options);
    expect((await stored(key)).toString()).toBe('onetwo');
    const head = await client().send(new HeadObjectCommand({ Bucket: sharedStack().s3.bucket, Key: key }));
    expect(head).toMatchObject({
      ContentType: 'application/zstd',
      Metadata: { 'skald-records': '12' },
      ContentLength: 6,
    });
  });

  it('puts a large object in parts, whose borders are not those of the frames, and leaves nothing unfinished', async () => {
    const key = `${freshPrefix()}/large.log.zst`;
    const requests: (string | undefined)[] = [];
    const store = open({}, ({ errorCode }) => requests.push(errorCode));
    const frames = Array.from({ length: 23 }, (_, i) => Buffer.alloc(MIB - 7 * i, i));
    await store.put(key, frames, options);
    expect((await stored(key)).equals(Buffer.concat(frames))).toBe(true);
    expect(requests).toEqual(Array.from({ length: 1 + 5 + 1 }));
    const { s3 } = sharedStack();
    const listed = await client().send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: key }));
    expect(listed.Uploads ?? []).toEqual([]);
  });

  it('drops the unfinished upload of a dead owner under one name only', async () => {
    const { bucket } = sharedStack().s3;
    const prefix = freshPrefix();
    const s3 = client();
    for (const name of ['0-5.log', '0-50.log']) {
      await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${prefix}/${name}` }));
    }
    await open().abortUnfinished(`${prefix}/0-5.log`);
    const listed = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
    expect((listed.Uploads ?? []).map(({ Key }) => Key)).toEqual([`${prefix}/0-50.log`]);
    await open().abortUnfinished(`${prefix}/0-50.log`);
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

  it('tries again on 503 SlowDown, and reports what still fails after its attempts', async () => {
    const slowDown = {
      status: 503,
      body: '<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>',
    };
    const ok = { status: 200, body: '' };
    const errors: (string | undefined)[] = [];
    const recovering = await serve((attempt) => (attempt === 1 ? slowDown : ok));
    const store = open({ endpoint: recovering }, ({ errorCode }) => errors.push(errorCode));
    await store.put('a', [Buffer.from('a')], options);
    const down = open({ endpoint: await serve(() => slowDown) }, ({ errorCode }) => errors.push(errorCode));
    await expect(down.put('a', [Buffer.from('a')], options)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      retryable: true,
    });
    expect(errors).toEqual([undefined, 'STORE_FAILED']);
  });

  it('gives up on a store that takes the request and never answers, and at once when the partition is gone', async () => {
    const silent = await serve(() => undefined);
    const store = open({ endpoint: silent, requestTimeoutMs: 200, maxAttempts: 1 });
    await expect(store.put('a', [Buffer.from('a')], options)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    const gone = new AbortController();
    const dropping = await serve(() => {
      gone.abort(new Error('gone'));
      return undefined;
    });
    const patient = open({ endpoint: dropping, requestTimeoutMs: 60_000 });
    const put = patient.put('a', [Buffer.from('a')], { ...options, signal: gone.signal });
    await expect(put).rejects.toThrow('gone');
  });

  it('is refused by the store when a byte changes on the way, and writes nothing', async () => {
    const prefix = freshPrefix();
    const honest = open({ endpoint: await startProxy((body) => body), maxAttempts: 1 });
    await honest.put(`${prefix}/whole`, [Buffer.from('content')], options);
    expect((await stored(`${prefix}/whole`)).toString()).toBe('content');
    const turning = open({
      endpoint: await startProxy((body) => body.map((byte) => byte ^ 1)),
      maxAttempts: 1,
    });
    const put = turning.put(`${prefix}/turned`, [Buffer.from('content')], options);
    await expect(put).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(stored(`${prefix}/turned`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** Passes requests on to the stack's S3 as they are, signature and all, but for their bodies. */
async function startProxy(change: (body: Uint8Array) => Uint8Array): Promise<string> {
  const target = new URL(sharedStack().s3.endpoint);
  return listen(
    createServer((incoming, outgoing) => {
      const { method, url, headers } = incoming;
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const passed = request(
          { host: target.hostname, port: target.port, method, path: url, headers },
          (answer) => {
            outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
            answer.pipe(outgoing);
          },
        );
        passed.end(change(Buffer.concat(chunks)));
      });
    }),
  );
}

/** Answers everything in one way; undefined is silence. */
async function serve(
  answer: (attempt: number) => { status: number; body: string } | undefined,
): Promise<string> {
  let attempts = 0;
  return listen(
    createServer((incoming, outgoing) => {
      incoming.resume().on('end', () => {
        attempts += 1;
        const given = answer(attempts);
        if (given !== undefined)
          outgoing.writeHead(given.status, { 'content-type': 'application/xml' }).end(given.body);
      });
    }),
  );
}

/** Its URL, on a free port of loopback, until the test is over. */
async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}
