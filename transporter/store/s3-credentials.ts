import type { S3Client } from '@aws-sdk/client-s3';

type Credentials = Awaited<ReturnType<S3Client['config']['credentials']>>;

export interface RenewableCredentials {
  /** Those that a request that begins now is signed with. */
  current(): Promise<Credentials>;
  /**
   * Whether there are others now than those that a store has refused: the SDK's chain is asked again, and a
   * credentials file read again. The SDK itself asks only for those that say when they expire.
   */
  renew(refused: Credentials): Promise<boolean>;
}

/** A store that refuses everything must not have a metadata service or STS asked as often. */
const ASK_AGAIN_MS = 5_000;

export function renewableCredentials({ config }: S3Client): RenewableCredentials {
  let askedAtMs = -Infinity;

  const ask = async (): Promise<Credentials> => {
    if (performance.now() - askedAtMs < ASK_AGAIN_MS) return config.credentials();
    askedAtMs = performance.now();
    return config.credentials({ forceRefresh: true });
  };

  return {
    current: () => config.credentials(),
    renew: async (refused) => {
      if (!isSame(refused, await config.credentials())) return true; // another request was faster
      // Where nobody gives credentials now, the refusal is the error to report.
      return ask().then(
        (found) => !isSame(refused, found),
        () => false,
      );
    },
  };
}

function isSame(a: Credentials, b: Credentials): boolean {
  return (['accessKeyId', 'secretAccessKey', 'sessionToken'] as const).every(
    (field) => a[field] === b[field],
  );
}
