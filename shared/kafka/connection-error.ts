import { errnoOf, isSkaldError, messageOf, SkaldError } from '../errors.ts';

/** Node's and OpenSSL's codes for a handshake that failed because of the certificate or the protocol, not the network. */
const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** What the runtime throws for a mistake in a program, ours or kafkajs's: not to be taken for the network's weather. */
const BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE (the listener wants no login), SASL_AUTHENTICATION_FAILED. */
const LOGIN_CODES: readonly unknown[] = [33, 34, 58];

/** The login itself, or the mechanism, or that there is a login at all, was refused. */
function isRefusedLogin(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'KafkaJSSASLAuthenticationError') return true;
  return error.name === 'KafkaJSProtocolError' && 'code' in error && LOGIN_CODES.includes(error.code);
}

/** While connecting, kafkajs reads the answers itself, and says this way that one is too short or counts too much. */
function isUnreadable(error: unknown, doing: string): error is RangeError {
  return doing === 'connect' && error instanceof RangeError;
}

/**
 * Maps what kafkajs and the socket throw to the catalogue, by class name and code, never by message.
 * `doing` is the request's name, 'connect', or 'handshake' when a connection was there and TLS was not yet.
 * @throws the error itself when it is a bug and not an operating error
 */
export function connectionError(error: unknown, where: Record<string, string>, doing: string): SkaldError {
  if (isSkaldError(error)) return error;
  if (isUnreadable(error, doing)) {
    return new SkaldError(
      'KAFKA_PROTOCOL',
      `${where['broker'] ?? 'the broker'} answered what no Kafka broker answers: ${error.message}`,
      { cause: error, where: { ...where, request: doing } },
    );
  }
  if (BUGS.some((kind) => error instanceof kind)) throw error;
  const name = error instanceof Error ? error.name : undefined;
  const code = errnoOf(error);
  const broker = where['broker'] ?? 'the broker';
  const options = { cause: error, where: { ...where, request: doing } };
  if (isRefusedLogin(error)) {
    return new SkaldError(
      'KAFKA_AUTHENTICATION',
      `${broker} refused the login: ${messageOf(error)}`,
      options,
    );
  }
  if (doing === 'handshake' || (code !== undefined && TLS_CODE.test(code))) {
    const suffix = code === undefined ? '' : ` (${code})`;
    return new SkaldError(
      'KAFKA_TLS',
      `The TLS handshake with ${broker} failed: ${messageOf(error)}${suffix}`,
      options,
    );
  }
  if (name === 'KafkaJSRequestTimeoutError') {
    return new SkaldError('KAFKA_TIMEOUT', `${broker} did not answer ${doing} in time.`, options);
  }
  if (doing === 'connect') {
    return new SkaldError('KAFKA_UNREACHABLE', `Cannot connect to ${broker}: ${messageOf(error)}`, options);
  }
  return new SkaldError(
    'KAFKA_DISCONNECTED',
    `The connection to ${broker} broke during ${doing}: ${messageOf(error)}`,
    options,
  );
}
