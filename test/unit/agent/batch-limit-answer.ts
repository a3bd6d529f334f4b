import { type KafkaRequest, ProtocolReader, ProtocolWriter } from '../../../shared/kafka/protocol.ts';

const TOPIC_RESOURCE = 2;
const DEFAULT_SOURCE = 5;

/** What a broker answers to DescribeConfigs (v1) of a topic's `max.message.bytes`, as the request decodes it. */
export function batchLimitAnswer<T>(request: KafkaRequest<T>, topic: string, maxMessageBytes: number): T {
  const answer = new ProtocolWriter().int32(0); // not throttled
  answer.array([0], () => {
    answer.int16(0).nullableString(undefined).int8(TOPIC_RESOURCE).string(topic);
    answer.array([0], () => {
      answer.string('max.message.bytes').nullableString(String(maxMessageBytes));
      answer.boolean(false).int8(DEFAULT_SOURCE).boolean(false);
      answer.array([], () => {});
    });
  });
  return request.decode(new ProtocolReader(answer.finish()));
}
