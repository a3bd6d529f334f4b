import { S3ServiceException } from '@aws-sdk/client-s3';
import { type ErrorCode, messageOf, SkaldError } from '../../shared/errors.ts';

/** Source: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'AccountProblem',
  'AuthorizationHeaderMalformed',
  'CredentialsProviderError',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
]);

/** What Node's sockets and the SDK's request handler throw when no answer comes. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'AbortError', // our own bound on what only tidies up; whoever gives up for another reason has that reason
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'TimeoutError',
]);

const HINT: Partial<Record<ErrorCode, string>> = {
  STORE_BUCKET_MISSING:
    'The bucket does not exist in this region and endpoint: create it or correct store.bucket.',
  STORE_DENIED: 'Check the credentials, what their policy allows, and the clock of this machine.',
  STORE_UNREACHABLE: 'Check store.endpoint, store.region and the network.',
};

/** Turns what the SDK throws into ours, by error name, socket code and HTTP status, never by message. */
export function s3Error(error: unknown, where: Record<string, string>): SkaldError {
  const name = error instanceof Error ? error.name : '';
  const socketCode =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  const code = codeOf({ name, socketCode, status });
  const what = messageOf(error) === '' || messageOf(error) === 'UnknownError' ? name : messageOf(error);
  const shown = [status === undefined ? '' : `HTTP ${status}`, name, what].filter(
    (part, i, all) => part !== '' && all.indexOf(part) === i,
  );
  return new SkaldError(
    code,
    [`The object store says: ${shown.join(', ')}.`, HINT[code] ?? ''].join(' ').trim(),
    {
      cause: error,
      where,
    },
  );
}

function codeOf(found: { name: string; socketCode: string; status: number | undefined }): ErrorCode {
  // A HEAD has no body, so its errors have no name: 404 can only be the bucket, 403 only the credentials.
  if (found.name === 'NoSuchBucket' || (found.name === 'NotFound' && found.status === 404))
    return 'STORE_BUCKET_MISSING';
  if (DENIED.has(found.name) || found.status === 401 || found.status === 403) return 'STORE_DENIED';
  if (UNREACHABLE.has(found.socketCode) || UNREACHABLE.has(found.name)) return 'STORE_UNREACHABLE';
  return 'STORE_FAILED';
}
