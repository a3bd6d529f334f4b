import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { SkaldError } from '../../../shared/errors.ts';
import { connectionError } from '../../../shared/kafka/connection-error.ts';

type Thrown = new (message: string | Error, options?: object) => Error;
// The classes themselves: the mapping goes by their names, so a renamed one must fail here.
const {
  KafkaJSConnectionError,
  KafkaJSConnectionClosedError,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
}: Record<string, Thrown> = createRequire(import.meta.url)('kafkajs/src/errors');

const WHERE = { broker: 'kafka-1:9092' };
const protocolError = (code: number): Error =>
  new KafkaJSProtocolError!(Object.assign(new Error('x'), { code }));
const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe('what kafkajs and the socket throw', () => {
  test.each<[name: string, error: unknown, doing: string, code: string]>([
    [
      'a refused connection',
      new KafkaJSConnectionError!('x', { code: 'ECONNREFUSED' }),
      'connect',
      'KAFKA_UNREACHABLE',
    ],
    [
      'a name that nobody knows',
      new KafkaJSConnectionError!('x', { code: 'ENOTFOUND' }),
      'connect',
      'KAFKA_UNREACHABLE',
    ],
    [
      'a connection that takes too long',
      new KafkaJSConnectionError!('Connection timeout'),
      'connect',
      'KAFKA_UNREACHABLE',
    ],
    [
      'a broken connection',
      new KafkaJSConnectionError!('x', { code: 'ECONNRESET' }),
      'Fetch',
      'KAFKA_DISCONNECTED',
    ],
    [
      'a closed connection',
      new KafkaJSConnectionClosedError!('Closed connection'),
      'Fetch',
      'KAFKA_DISCONNECTED',
    ],
    ['no answer in time', new KafkaJSRequestTimeoutError!('x', {}), 'Produce', 'KAFKA_TIMEOUT'],
    [
      'no answer in time while connecting',
      new KafkaJSRequestTimeoutError!('x', {}),
      'connect',
      'KAFKA_TIMEOUT',
    ],
    ['a refused login', new KafkaJSSASLAuthenticationError!('x'), 'connect', 'KAFKA_AUTHENTICATION'],
    ['a mechanism that the broker does not have', protocolError(33), 'connect', 'KAFKA_AUTHENTICATION'],
    ['a login where none is wanted', protocolError(34), 'connect', 'KAFKA_AUTHENTICATION'],
    ['another code while connecting', protocolError(35), 'connect', 'KAFKA_UNREACHABLE'],
    ['anything else in a request', new Error('x'), 'Metadata', 'KAFKA_DISCONNECTED'],
    ['what is not even an error', 'x', 'Metadata', 'KAFKA_DISCONNECTED'],
  ])('%s', (_, error, doing, code) => {
    const mapped = connectionError(error, WHERE, doing);
    expect(mapped).toMatchObject({ code, cause: error, where: { broker: 'kafka-1:9092', request: doing } });
    expect(mapped.message).toContain('kafka-1:9092');
  });

  // Codes of Node's TLS errors and of X.509 verification: https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes
  test.each([
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_UNTRUSTED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'HOSTNAME_MISMATCH',
    'EPROTO',
  ])('%s is of the handshake, not of the network', (code) => {
    expect(connectionError(withCode(code), WHERE, 'connect')).toMatchObject({ code: 'KAFKA_TLS' });
    expect(connectionError(new KafkaJSConnectionError!('x', { code }), WHERE, 'connect').message).toContain(
      code,
    );
  });

  test('one of ours stays what it is', () => {
    const ours = new SkaldError('KAFKA_PROTOCOL', 'half an answer');
    expect(connectionError(ours, WHERE, 'Fetch')).toBe(ours);
  });
});
