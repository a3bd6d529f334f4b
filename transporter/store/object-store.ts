/**
 * What the transporter needs of a place for objects. Implementations retry what is worth retrying, within a
 * bound.
 */
export interface ObjectStore {
  /** Where objects go, for log lines, such as `s3://bucket`. */
  readonly location: string;

  /**
   * Finds out whether objects can be written here, before anything is fetched.
   * @throws SkaldError STORE_BUCKET_MISSING, STORE_DENIED, STORE_UNREACHABLE, STORE_FAILED
   */
  check(): Promise<void>;

  /**
   * Writes an object whole or not at all, and never over another: where there is one of that name, it stays as
   * it is, and the promise resolves to its metadata. Otherwise it resolves to undefined when the object is
   * durable. Parts are read until then. Aborting the signal gives up soon; the object may or may not be written.
   * @throws SkaldError as `check`, or the signal's reason
   */
  put(key: string, parts: readonly Uint8Array[], options: PutOptions): Promise<ObjectMetadata | undefined>;

  /**
   * The metadata of an object; undefined where there is none.
   * @throws SkaldError as `check`, or the signal's reason
   */
  describe(key: string, signal?: AbortSignal): Promise<ObjectMetadata | undefined>;

  /** What is directly below a folder (`a/b/`); nothing where there is none. @throws as `check`, or the signal's reason */
  list(folder: string, signal: AbortSignal): Promise<Listing>;

  /**
   * Drops what was left unfinished under this very name, by an owner that died or an attempt that failed, so
   * that it is not paid for for ever. An owner that still lives and loses its upload this way has lost the
   * partition before. Takes seconds at most.
   * @throws SkaldError as `check`
   */
  abortUnfinished(key: string): Promise<void>;

  /**
   * Lets go of everything. The signals of the puts that are under way have aborted before; it waits until they
   * have dropped what is unfinished, for seconds at most.
   */
  close(): Promise<void>;
}

export interface Listing {
  /** With their whole names. */
  objects: { key: string; bytes: number }[];
  /** Last parts of their names, without slashes. */
  folders: string[];
}

/** Small, ASCII; kept beside the object. S3 allows 2 KB of it. */
export type ObjectMetadata = Readonly<Record<string, string>>;

export interface PutOptions {
  contentType: string;
  metadata: ObjectMetadata;
  signal: AbortSignal;
}
