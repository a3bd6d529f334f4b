/**
 * A record as JSON. Bytes that are UTF-8 are a string under their own name, others are base64 under that name
 * with `Base64`, so nothing is lost and no reader takes the one for the other.
 */
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { walkHeaders } from '../../shared/wire/walk-records.ts';
import type { JsonBytes } from './json-bytes.ts';
import type { RecordView } from './record-view.ts';

/** What Kafka has as the timestamp of a record that has none. */
export const NO_TIMESTAMP = -1;

/** `{"topic":"t","partition":0,"offset":`, the beginning of each line of a partition; names of topics are ASCII. */
export function envelopeHead({ topic, partition }: TopicPartition): string {
  return `{"topic":${JSON.stringify(topic)},"partition":${partition},"offset":`;
}

/** After the head `7,"timestamp":1785499200000`: milliseconds since 1970, or null for none. */
export function writePosition(json: JsonBytes, { offset, timestampMs }: RecordView): void {
  json.ascii(String(offset));
  json.ascii(',"timestamp":');
  json.ascii(timestampMs === NO_TIMESTAMP ? 'null' : String(timestampMs));
}

/** `[{"key":"k","value":"v"}]`: a list, because a record can have two headers of one name. */
export function writeHeaders(json: JsonBytes, { section, headersStart, headersEnd }: RecordView): void {
  if (!hasHeaders({ headersStart, headersEnd })) {
    json.ascii('[]');
    return;
  }
  let separator = '[';
  walkHeaders(section, headersStart, headersEnd, (keyStart, keyEnd, valueStart, valueEnd) => {
    json.ascii(separator);
    separator = '},';
    json.ascii('{');
    writeBytes(json, 'key', section, keyStart, keyEnd);
    json.ascii(',');
    writeBytes(json, 'value', section, valueStart, valueEnd);
  });
  json.ascii('}]');
}

/** Else there is nothing but their count, the one byte 0. */
export function hasHeaders({
  headersStart,
  headersEnd,
}: Pick<RecordView, 'headersStart' | 'headersEnd'>): boolean {
  return headersEnd - headersStart > 1;
}

/** `"name":"text"`, `"nameBase64":"…"`, or `"name":null` for bytes from -1 to -1. */
export function writeBytes(
  json: JsonBytes,
  name: 'key' | 'value',
  section: Buffer,
  start: number,
  end: number,
): void {
  if (start < 0) {
    json.ascii(name === 'key' ? '"key":null' : '"value":null');
    return;
  }
  const before = json.length;
  json.ascii(name === 'key' ? '"key":' : '"value":');
  if (json.utf8(section, start, end)) return;
  json.cutTo(before);
  writeBase64(json, name, section, start, end);
}

/** The same, base64 always. */
export function writeBase64(
  json: JsonBytes,
  name: 'key' | 'value',
  section: Buffer,
  start: number,
  end: number,
): void {
  json.ascii(`"${name}Base64":`);
  if (start < 0) json.ascii('null');
  else json.base64(section, start, end);
}
