import { ensureBucket } from './s3-bucket.ts';
import { prepareS3Proxy, startS3ProxyProcess } from './s3proxy.ts';
import type { S3Access } from './s3proxy.ts';
import { createService } from './service.ts';
import { waitFor } from './wait-for.ts';

export interface S3Store {
  readonly access: S3Access;
  readonly objectsDir: string;
  pid(): number | undefined;
  /** Returns when the store has accepted a signed put. */
  start(): Promise<void>;
  end(graceMs: number): Promise<void>;
}

/** Writes the configuration; starts nothing yet. */
export async function prepareS3Store(
  access: S3Access,
  dataDir: string,
  readyTimeoutMs: number,
): Promise<S3Store> {
  const files = await prepareS3Proxy(access, dataDir);
  const service = createService('S3', files.logFile, () => startS3ProxyProcess(files));
  return {
    access,
    objectsDir: files.objectsDir,
    pid: () => service.pid(),
    async start() {
      service.start();
      await service.whileRunning((signal) =>
        waitFor(() => ensureBucket(access), { timeoutMs: readyTimeoutMs, what: 'S3 answers', signal }),
      );
    },
    end: (graceMs) => service.end(graceMs),
  };
}
