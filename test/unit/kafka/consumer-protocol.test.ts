import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../shared/kafka/consumer-protocol.ts';
import { kafkaMessage } from './kafka-messages.ts';

const OWNED = [
  { topic: 'logs', partition: 0 },
  { topic: 'logs', partition: 2 },
];
const ASSIGNED = [...OWNED, { topic: 'other', partition: 1 }];

interface AssignerProtocol {
  MemberMetadata: {
    decode(bytes: Buffer): { version: number; topics: string[] };
  };
  MemberAssignment: {
    encode(options: { version: number; assignment: Record<string, number[]> }): Buffer;
    decode(bytes: Buffer): { version: number; assignment: Record<string, number[]> };
  };
}
const kafkajs: AssignerProtocol = createRequire(import.meta.url)('kafkajs/src/consumer/assignerProtocol');

describe('a subscription', () => {
  test("is encoded as Kafka's own library encodes it, with what is owned and the rack (KIP-881)", () => {
    const bytes = encodeSubscription({ topics: ['logs', 'other'], owned: OWNED, rack: 'rack-c' });
    // Version 3; the only other field is the generation id, which stands where Kafka's default is too.
    expect(bytes.toString('hex')).toBe(kafkaMessage('subscription-3').toString('hex'));
  });

  test.each([
    [0, [], undefined],
    [1, OWNED, undefined],
    [2, OWNED, undefined],
    [3, OWNED, 'rack-c'],
  ])('of version %i is read, as far as it goes', (version, owned, rack) => {
    expect(decodeSubscription(kafkaMessage(`subscription-${version}`))).toEqual({
      topics: ['logs', 'other'],
      owned,
      rack,
    });
  });

  test('of a later version is read by the fields that are known', () => {
    const later = Buffer.concat([kafkaMessage('subscription-3'), Buffer.from('whatever comes after')]);
    later.writeInt16BE(9, 0);
    expect(decodeSubscription(later)).toMatchObject({ topics: ['logs', 'other'], rack: 'rack-c' });
  });

  test('without a rack, and with nothing owned', () => {
    const nothing = { topics: ['logs'], owned: [], rack: undefined };
    expect(decodeSubscription(encodeSubscription(nothing))).toEqual(nothing);
  });

  test('is understood by kafkajs, as far as it knows it', () => {
    const bytes = encodeSubscription({ topics: ['logs', 'other'], owned: OWNED, rack: 'rack-c' });
    expect(kafkajs.MemberMetadata.decode(bytes)).toMatchObject({ version: 3, topics: ['logs', 'other'] });
  });

  test('that is cut off is KAFKA_PROTOCOL', () => {
    const whole = kafkaMessage('subscription-3');
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => decodeSubscription(whole.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'KAFKA_PROTOCOL' }),
      );
    }
  });
});

describe('an assignment', () => {
  test("is encoded as Kafka's own library encodes version 0", () => {
    expect(encodeAssignment({ partitions: ASSIGNED }).toString('hex')).toBe(
      kafkaMessage('assignment-0').toString('hex'),
    );
  });

  test.each([0, 3])('of version %i is read', (version) => {
    expect(decodeAssignment(kafkaMessage(`assignment-${version}`)).partitions).toEqual(ASSIGNED);
  });

  test('of no bytes is of no partitions: the leader forgot this member', () => {
    expect(decodeAssignment(Buffer.alloc(0))).toEqual({ partitions: [] });
  });

  test('brings what the leader says beside it, and a subscription what the member says', () => {
    const assignment = { partitions: ASSIGNED, userData: 'from the leader' };
    expect(decodeAssignment(encodeAssignment(assignment))).toEqual(assignment);
    const subscription = { topics: ['logs'], owned: OWNED, rack: 'rack-c', userData: 'from the member' };
    expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription);
  });

  test('goes both ways between kafkajs and us', () => {
    const assignment = { logs: [0, 2], other: [1] };
    expect(kafkajs.MemberAssignment.decode(encodeAssignment({ partitions: ASSIGNED }))).toMatchObject({
      assignment,
    });
    const theirs = kafkajs.MemberAssignment.encode({ version: 1, assignment });
    expect(decodeAssignment(theirs).partitions).toEqual(ASSIGNED);
  });
});
