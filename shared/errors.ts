/**
 * The one catalogue of errors that Skald raises. Decisions look at `code` and `retryable`, never at message text.
 * docs/errors.md is generated from this table and a test keeps the two equal.
 */
export const ERROR_CATALOGUE = {
  CONFIG_INVALID: {
    retryable: false,
    means: 'A configuration file has an unknown key, a wrong type or an impossible combination.',
    action: 'Correct the file at the line and key that the message names; nothing was started from it.',
  },
  CONFIG_UNREADABLE: {
    retryable: false,
    means: 'A configuration file or directory is missing, unreadable, or not of the expected kind.',
    action: 'Check the path and its permissions.',
  },
  WIRE_CORRUPT: {
    retryable: false,
    means: 'Bytes that should be a Kafka record batch are damaged; the message says at which byte.',
    action: 'Compare with another replica; the bytes were not turned into records.',
  },
  WIRE_UNSUPPORTED: {
    retryable: false,
    means: 'A record batch uses a format version or codec that Skald does not read.',
    action: 'Produce with magic 2 (Kafka 0.11 or later) and one of none, gzip, snappy, lz4, zstd.',
  },
  CODEC_FAILED: {
    retryable: false,
    means: 'A compressor or decompressor refused its input.',
    action: 'The input is damaged, or was compressed by something else than it says.',
  },
  KAFKA_UNREACHABLE: {
    retryable: true,
    means: 'No connection to a broker could be opened.',
    action: 'Check the brokers setting, that the brokers run, and the network between. Skald keeps trying.',
  },
  KAFKA_DISCONNECTED: {
    retryable: true,
    means: 'A connection to a broker broke while a request was under way.',
    action:
      'Nothing, if it passes: Skald reconnects and repeats what has no answer. If it stays, look at the broker.',
  },
  KAFKA_TIMEOUT: {
    retryable: true,
    means: 'A broker took a request and did not answer within requestTimeoutMs.',
    action: 'Nothing, if it passes. If it stays, the broker is overloaded or hangs.',
  },
  KAFKA_TLS: {
    retryable: true,
    means: 'The TLS handshake with a broker failed.',
    action:
      "Check tls.caFile, the certificate's names and dates, and that the port is a TLS listener. Retried slowly.",
  },
  KAFKA_AUTHENTICATION: {
    retryable: true,
    means: 'A broker refused the SASL login.',
    action:
      'Check sasl.mechanism, username and password. Retried slowly, because credentials can be repaired at the broker.',
  },
  KAFKA_PROTOCOL: {
    retryable: false,
    means: "A broker's answer is not what the protocol says.",
    action: 'Check that the address is a Kafka broker of version 2.4 or later.',
  },
  KAFKA_REFUSED: {
    retryable: false,
    means: 'A broker answered a request with an error code; the message names it.',
    action: 'The message says what the code means. Codes that the protocol calls retriable are retried.',
  },
  KAFKA_TOPIC_MISSING: {
    retryable: true,
    means: 'A topic does not exist, or this user may not see it.',
    action:
      'Create the topic (Skald never creates one) or grant the ACL. Skald keeps trying and loses nothing meanwhile.',
  },
  INTENT_UNREADABLE: {
    retryable: false,
    means:
      'The offset of a partition carries an intent of the transporter that this version cannot keep. The partition is not read.',
    action:
      'Run the newer version that wrote it; or, knowing that its records may come twice, set the offset again with kafka-consumer-groups.',
  },
  STORE_BUCKET_MISSING: {
    retryable: true,
    means: 'The bucket that objects go to does not exist.',
    action:
      'Create it, or correct store.bucket, store.region and store.endpoint. Skald never creates a bucket.',
  },
  STORE_DENIED: {
    retryable: true,
    means: 'The object store refused the credentials, or they do not allow to write.',
    action:
      'Check accessKeyId and secretAccessKey or the credential chain of the AWS SDK, the clock of this machine, and that the policy allows s3:PutObject.',
  },
  STORE_UNREACHABLE: {
    retryable: true,
    means: 'The object store did not answer, or no connection to it could be opened.',
    action:
      'Check store.endpoint, store.region and the network. Skald keeps trying and holds what is not yet stored.',
  },
  STORE_FAILED: {
    retryable: true,
    means: 'The object store answered with an error, or a file could not be written; the message says which.',
    action: 'Nothing, if it passes: Skald tries again. If it stays, the message says what the store wants.',
  },
  STATUS_LISTEN_FAILED: {
    retryable: false,
    means: 'The status server cannot listen on its address.',
    action: 'Free the port, or set another `status.port`, or `status: false`.',
  },
  KAFKA_NO_LEADER: {
    retryable: true,
    means: 'A partition has no leader right now.',
    action:
      'Nothing, if it passes: lines go to other partitions meanwhile. If it stays, look at the brokers of its replicas.',
  },
  STATE_DIR_LOCKED: {
    retryable: false,
    means: 'Another agent works on the same state directory.',
    action: 'Stop the other agent, or give this one a stateDir of its own.',
  },
  STATE_DIR_UNUSABLE: {
    retryable: false,
    means: 'The state directory cannot be created, locked or read.',
    action: 'Let the user of the agent own the directory, and see that its disk is mounted writable.',
  },
  RECORD_TIME_UNUSABLE: {
    retryable: false,
    means: 'A record has no usable time where `time` looks for it. It is in the quarantine.',
    action:
      'Correct `time.field`, `time.pattern` or `time.format`, or whoever writes the records; `time.otherwise: timestamp` carries them by their timestamp.',
  },
  RECORD_NOT_JSON: {
    retryable: false,
    means:
      'Columns are to be picked from a record whose value is not a JSON object. It is in the quarantine.',
    action: 'Correct whoever writes the records, or carry the topic without `columns`.',
  },
  RECORD_FIELD_UNFIT: {
    retryable: false,
    means:
      'A field of a record does not fit the type of its column. It is in the quarantine; its message says which field.',
    action: 'Correct the type of the column in `columns`, or whoever writes the records.',
  },
  RECORD_TOO_LARGE: {
    retryable: false,
    means: 'A record is larger than its format takes. It is in the quarantine.',
    action: 'Format `lines` takes records of any size.',
  },
  RACK_UNKNOWN: {
    retryable: true,
    means: 'EC2 instance metadata did not tell the rack of this machine; the message says why.',
    action:
      'Nothing is lost, but traffic crosses racks. Turn instance metadata on for the machine, or set `rack` or SKALD_RACK; then restart.',
  },
} as const satisfies Record<string, { retryable: boolean; means: string; action: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export interface SkaldErrorOptions {
  cause?: unknown;
  /** Overrides the catalogue for this one error, when the cause knows better. */
  retryable?: boolean;
  /** Where it happened: file, key, topic, partition, offset. Logged as fields beside the message. */
  where?: Readonly<Record<string, string | number | bigint>>;
}

/** An operating error: expected in production, counted, logged once, never a bug in Skald itself. */
export class SkaldError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly where: Readonly<Record<string, string | number | bigint>>;

  constructor(code: ErrorCode, message: string, options: SkaldErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SkaldError';
    this.code = code;
    this.retryable = options.retryable ?? ERROR_CATALOGUE[code].retryable;
    this.where = options.where ?? {};
  }
}

export function isSkaldError(error: unknown, code?: ErrorCode): error is SkaldError {
  return error instanceof SkaldError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown; for log lines and wrapped errors. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error, such as ENOENT (errno(3)); undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
