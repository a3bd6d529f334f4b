import { S3ServiceException } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { s3Error } from '../../../../transporter/store/s3-error.ts';

function answered(name: string, httpStatusCode: number): Error {
  return new S3ServiceException({
    name,
    $fault: 'client',
    $metadata: { httpStatusCode },
    message: `about ${name}`,
  });
}

const socket = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

describe('s3Error', () => {
  it.each([
    [answered('NoSuchBucket', 404), 'STORE_BUCKET_MISSING'],
    [answered('NotFound', 404), 'STORE_BUCKET_MISSING'],
    [answered('NoSuchUpload', 404), 'STORE_FAILED'],
    [answered('AccessDenied', 403), 'STORE_DENIED'],
    [answered('InvalidAccessKeyId', 403), 'STORE_DENIED'],
    [answered('SignatureDoesNotMatch', 403), 'STORE_DENIED'],
    [answered('ExpiredToken', 400), 'STORE_DENIED'],
    [Object.assign(new Error('no credentials'), { name: 'CredentialsProviderError' }), 'STORE_DENIED'],
    [socket('ECONNREFUSED'), 'STORE_UNREACHABLE'],
    [socket('ENOTFOUND'), 'STORE_UNREACHABLE'],
    [Object.assign(new Error('timed out'), { name: 'TimeoutError' }), 'STORE_UNREACHABLE'],
    [answered('SlowDown', 503), 'STORE_FAILED'],
    [answered('InternalError', 500), 'STORE_FAILED'],
    [answered('BadDigest', 400), 'STORE_FAILED'],
  ] as const)('maps %s to %s', (error, code) => {
    const mapped = s3Error(error, { bucket: 'b' });
    expect(mapped.code).toBe(code);
    expect(mapped.cause).toBe(error);
    expect(mapped.where).toEqual({ bucket: 'b' });
  });

  it('says what happened and what to do, also for an answer without a body', () => {
    expect(s3Error(answered('NoSuchBucket', 404), {}).message).toBe(
      'The object store says: HTTP 404, NoSuchBucket, about NoSuchBucket. ' +
        'The bucket does not exist in this region and endpoint: create it or correct store.bucket.',
    );
    const head = new S3ServiceException({
      name: '403',
      $fault: 'client',
      $metadata: { httpStatusCode: 403 },
      message: 'UnknownError',
    });
    expect(s3Error(head, {}).message).toContain('HTTP 403, 403. Check the credentials');
  });
});
