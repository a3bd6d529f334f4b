import type { KafkaRequest } from '../protocol.ts';

const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;

export interface ConfigAnswer {
  errorCode: number;
  errorMessage: string | undefined;
  /** Effective values by name, the broker's defaults included. */
  values: Map<string, string>;
}

/** DescribeConfigs v2 for one topic and the named settings. Any broker answers. Source: https://kafka.apache.org/protocol#The_Messages_DescribeConfigs */
export function describeTopicConfigRequest(
  topic: string,
  names: readonly string[],
): KafkaRequest<ConfigAnswer> {
  return describeConfigsRequest(TOPIC_RESOURCE, topic, names);
}

/** DescribeConfigs v2 for one broker and the named settings; only that broker answers. */
export function describeBrokerConfigRequest(
  nodeId: number,
  names: readonly string[],
): KafkaRequest<ConfigAnswer> {
  return describeConfigsRequest(BROKER_RESOURCE, String(nodeId), names);
}

function describeConfigsRequest(
  type: number,
  resource: string,
  names: readonly string[],
): KafkaRequest<ConfigAnswer> {
  return {
    apiKey: 32,
    apiName: 'DescribeConfigs',
    apiVersion: 2,
    encode: (writer) => {
      writer.array([resource], () => {
        writer
          .int8(type)
          .string(resource)
          .array(names, (name) => writer.string(name));
      });
      writer.boolean(false);
    },
    decode: (reader) => {
      reader.int32(); // throttle time
      const answer: ConfigAnswer = { errorCode: 0, errorMessage: undefined, values: new Map() };
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
