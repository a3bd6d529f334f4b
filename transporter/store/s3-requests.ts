import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { S3StoreConfig } from '../../shared/config/store-config.ts';
import { type ErrorCode, isSkaldError, type SkaldError } from '../../shared/errors.ts';
import { renewableCredentials } from './s3-credentials.ts';
import { s3Error } from './s3-error.ts';
import { sendInPieces } from './object-body.ts';
import { createSlots } from './slots.ts';

export interface S3Observer {
  /** A request ended, well or not, after all of its attempts. */
  requestEnded?: (seconds: number) => void;
  /** One attempt failed. Most are followed by another one. */
  attemptFailed?: (code: ErrorCode) => void;
  /** How many requests may run at once from now on. */
  slotsAllowed?: (count: number) => void;
  /** The store refuses `If-None-Match`: from now on objects are looked for before they are stored. Said once. */
  conditionsUnknown?: () => void;
}

export interface S3Request<T> {
  /** For the error. */
  where: Record<string, string>;
  send: (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<T>;
}

/** Both throw STORE_BUCKET_MISSING, STORE_DENIED, STORE_UNREACHABLE, STORE_FAILED. */
export interface S3Requests {
  /**
   * One request: a slot, the SDK's attempts with backoff and jitter, and their errors turned into ours. When
   * the store refuses the credentials, and there are new ones, it is sent again with those. When it asks to
   * slow down, there are fewer slots for a while: the SDK would only hold back this request, and a worker has
   * many.
   * @throws SkaldError, or the signal's reason
   */
  run<T>(request: S3Request<T>, signal?: AbortSignal): Promise<T>;
  /** A small request that only saves money: at once, and soon given up. @throws SkaldError */
  tidy<T>(request: S3Request<T>): Promise<T>;
  close(): void;
}

/** We gave up; an object that is created once is there already; one that was looked for is not there. */
const NO_FAILURES: ReadonlySet<string> = new Set(['AbortError', 'PreconditionFailed', 'NotFound']);
const CONNECT_TIMEOUT_MS = 5_000;
/** Well below what a stop may take. */
const TIDY_TIMEOUT_MS = 3_000;

/** Every start would otherwise begin with the announcement that the SDK will want a newer Node one day. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

export function openS3Requests(config: S3StoreConfig, observer: S3Observer): S3Requests {
  const client = openClient(config);
  const credentials = renewableCredentials(client);
  const slots = createSlots(config.maxConcurrentUploads);

  const ourError = (error: unknown, where: Record<string, string>): SkaldError =>
    isSkaldError(error) ? error : s3Error(error, { bucket: config.bucket, ...where });

  sendInPieces(client);
  // In this place of the stack it sees each attempt; what a caller sees is the last of them.
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (isThrottling(error)) slots.halve();
        const isFailure = !(error instanceof Error && NO_FAILURES.has(error.name));
        if (isFailure) observer.attemptFailed?.(ourError(error, {}).code);
        throw error;
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'skaldAttempts' },
  );

  const send = async <T>(request: S3Request<T>, abortSignal: AbortSignal): Promise<T> => {
    const startedAt = performance.now();
    const attempt = async (): Promise<T> => request.send(client, { abortSignal });
    try {
      const used = await credentials.current();
      return await attempt().catch(async (error: unknown) => {
        if (abortSignal.aborted || ourError(error, {}).code !== 'STORE_DENIED') throw error;
        if (!(await credentials.renew(used))) throw error;
        return attempt();
      });
    } catch (error) {
      throw ourError(error, request.where);
    } finally {
      observer.requestEnded?.((performance.now() - startedAt) / 1000);
    }
  };

  const run = <T>(request: S3Request<T>, signal?: AbortSignal): Promise<T> =>
    slots.run(signal, async () => {
      // A signal of its own: the SDK leaves listeners on the one that it is given, and the caller's lives as
      // long as a partition is owned.
      const own = new AbortController();
      const abort = (): void => own.abort(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      try {
        return await send(request, own.signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', abort);
        observer.slotsAllowed?.(slots.allowed);
      }
    });

  const tidy = <T>(request: S3Request<T>): Promise<T> => send(request, AbortSignal.timeout(TIDY_TIMEOUT_MS));

  return { run, tidy, close: () => client.destroy() };
}

function openClient(config: S3StoreConfig): S3Client {
  const { accessKeyId, secretAccessKey, endpoint, requestTimeoutMs } = config;
  const hasKeys = accessKeyId !== undefined && secretAccessKey !== undefined;
  const agent = { maxSockets: config.maxConcurrentUploads + 1 };
  return new S3Client({
    region: config.region,
    forcePathStyle: config.forcePathStyle,
    maxAttempts: config.maxAttempts,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
      // The time-out of a request ends with the head of the answer; the body may still stop to come.
      socketTimeout: requestTimeoutMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
    ...(endpoint !== undefined && { endpoint }),
    credentials: hasKeys ? { accessKeyId, secretAccessKey } : defaultProvider({ ignoreCache: true }),
  });
}

/** Source: docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html */
function isThrottling(error: unknown): boolean {
  if (error instanceof Error && error.name === 'SlowDown') return true;
  return error instanceof S3ServiceException && error.$metadata.httpStatusCode === 429;
}
