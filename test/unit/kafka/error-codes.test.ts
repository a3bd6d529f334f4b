import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { KafkaCode, kafkaError } from '../../../shared/kafka/error-codes.ts';

/** Code, name and retriability by Apache Kafka's own library; fixtures/KafkaErrors.java says how. */
const KAFKA_ERRORS = readFileSync(new URL('fixtures/kafka-errors.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split(' '))
  .map(([code, name, retriable]) => ({ code: Number(code), name: name!, retriable: retriable === 'true' }));

/** Names of Kafka 2 that Kafka has changed since; the codes are the same. */
const OLD_NAMES_IN_KAFKAJS = [
  'UNKNOWN',
  'NOT_LEADER_FOR_PARTITION',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
];

const isKnown = (code: number): boolean => !kafkaError(code).name.startsWith('ERROR_');

describe('the table of error codes', () => {
  test("agrees with Kafka's own library on names and on what can be tried again", () => {
    const known = KAFKA_ERRORS.filter(({ code }) => isKnown(code));
    expect(known.length).toBeGreaterThan(50);
    expect(known.map(({ code }) => kafkaError(code))).toMatchObject(known);
  });

  test('and with kafkajs, but for what Kafka has renamed or changed since', () => {
    const table: { type: string; code: number; retriable: boolean }[] = createRequire(import.meta.url)(
      'kafkajs/src/protocol/error',
    ).errorCodes;
    const other = table
      .filter(({ code, type, retriable }) => {
        const ours = kafkaError(code);
        return isKnown(code) && (ours.name !== type || ours.retriable !== retriable);
      })
      .map(({ type }) => type);
    expect(other).toEqual(OLD_NAMES_IN_KAFKAJS);
  });

  test('has every code that a decision is made on, under its own name', () => {
    for (const [name, code] of Object.entries(KafkaCode)) {
      expect(kafkaError(code)).toMatchObject({ code, name });
    }
  });

  test('has every code that a broker can answer to Produce', () => {
    // The errors that ProduceResponse.java of Apache Kafka lists, and those of the checks in front of it.
    const produce = [
      2, 3, 5, 6, 7, 10, 17, 18, 19, 20, 29, 31, 32, 35, 42, 43, 45, 46, 47, 53, 56, 59, 76, 87,
    ];
    expect(produce.filter((code) => !isKnown(code))).toEqual([]);
  });

  test('says the number of a code that it does not know, and does not try it again', () => {
    expect(kafkaError(9_999)).toMatchObject({ code: 9_999, name: 'ERROR_9999', retriable: false });
  });
});
