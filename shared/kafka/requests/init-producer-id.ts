import type { KafkaRequest } from '../protocol.ts';

export interface InitProducerIdAnswer {
  errorCode: number;
  producerId: bigint;
  producerEpoch: number;
}

/** InitProducerId v1 for an idempotent, non-transactional producer (KIP-98). Any broker answers. */
export function initProducerIdRequest(): KafkaRequest<InitProducerIdAnswer> {
  return {
    apiKey: 22,
    apiName: 'InitProducerId',
    apiVersion: 1,
    encode: (writer) => {
      // Without a transactional id the time-out is not used; the broker only checks that it is positive.
      writer.nullableString(undefined).int32(60_000);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      return { errorCode: reader.int16(), producerId: reader.bigint64(), producerEpoch: reader.int16() };
    },
  };
}
