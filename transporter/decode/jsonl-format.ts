import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { envelopeHead, writeBytes, writeHeaders, writePosition } from './envelope.ts';
import { createJsonBytes, type JsonBytes } from './json-bytes.ts';
import { type RecordFormat, tooLarge } from './record-format.ts';
import type { RecordView } from './record-view.ts';
import type { DecodeLayout } from './decode-range.ts';

/** Format `jsonl`: an object of JSON and a line feed for each record (jsonlines.org). */
export function jsonlFormat(place: TopicPartition, { codec, level }: DecodeLayout): RecordFormat {
  const head = envelopeHead(place);

  const writeLine = (json: JsonBytes, record: RecordView): void => {
    const { section, keyStart, keyEnd, valueStart, valueEnd } = record;
    json.ascii(head);
    writePosition(json, record);
    json.ascii(',');
    writeBytes(json, 'key', section, keyStart, keyEnd);
    json.ascii(',"headers":');
    writeHeaders(json, record);
    json.ascii(',');
    writeBytes(json, 'value', section, valueStart, valueEnd);
    json.ascii('}\n');
  };

  return {
    refusalOf: tooLarge,
    openBucket: () => {
      const json = createJsonBytes();
      return {
        write: (record) => writeLine(json, record),
        get textBytes() {
          return json.length;
        },
        finish: async () => ({ textBytes: json.length, bytes: await json.compressed(codec, level) }),
      };
    },
  };
}
