import type { KafkaRequest } from '../protocol.ts';

const TOPIC_RESOURCE = 2;

export interface TopicConfigAnswer {
  errorCode: number;
  errorMessage: string | undefined;
  /** Effective values by name, the broker's defaults included. */
  values: Map<string, string>;
}

/** DescribeConfigs v2 for one topic and the named settings. Any broker answers. Source: https://kafka.apache.org/protocol#The_Messages_DescribeConfigs */
export function describeTopicConfigRequest(
  topic: string,
  names: readonly string[],
): KafkaRequest<TopicConfigAnswer> {
  return {
    apiKey: 32,
    apiName: 'DescribeConfigs',
    apiVersion: 2,
    encode: (writer) => {
      writer.array([topic], () => {
        writer
          .int8(TOPIC_RESOURCE)
          .string(topic)
          .array(names, (name) => writer.string(name));
      });
      writer.boolean(false);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const answer: TopicConfigAnswer = { errorCode: 0, errorMessage: undefined, values: new Map() };
      reader.array(() => {
        answer.errorCode = reader.int16();
        answer.errorMessage = reader.nullableString();
        reader.int8(); // resource type
        reader.string(); // resource name
        reader.array(() => {
          const name = reader.string();
          const value = reader.nullableString();
          if (value !== undefined) answer.values.set(name, value);
          reader.boolean(); // read only
          reader.int8(); // source
          reader.boolean(); // sensitive
          reader.array(() => {
            reader.string();
            reader.nullableString();
            reader.int8();
          });
        });
      });
      return answer;
    },
  };
}
