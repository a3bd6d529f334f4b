import { joinOwned } from '../../shared/codec/views.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { DecodeLayout } from './decode-range.ts';
import { envelopeHead, writeBase64, writeHeaders, writePosition } from './envelope.ts';
import { createJsonBytes, type JsonBytes } from './json-bytes.ts';
import { MAX_FRAME_TEXT_BYTES } from './record-format.ts';
import type { RecordView } from './record-view.ts';

/** Why a record cannot be carried as its layout wants it. */
export interface Refusal {
  reason: Extract<ErrorCode, `RECORD_${string}`>;
  message: string;
}

/** The records of a job that were refused, as compressed JSON lines. Frames concatenate. */
export interface RefusedFrame {
  bytes: Uint8Array;
  records: number;
  byReason: Partial<Record<ErrorCode, number>>;
  /** Before compression. */
  textBytes: number;
  firstOffset: number;
  lastOffset: number;
}

export interface RefusedRecords {
  /** Takes a copy of the record. They come in the order of their offsets. */
  add(record: RecordView, refusal: Refusal): void;
  /** Undefined when there was none. */
  finish(): Promise<RefusedFrame | undefined>;
}

/** Keys and values are base64 always: whoever repairs them wants the bytes, and most were no text. */
export function createRefusedRecords(
  place: TopicPartition,
  { codec, level }: Pick<DecodeLayout, 'codec' | 'level'>,
): RefusedRecords {
  const head = envelopeHead(place);
  const byReason: Partial<Record<ErrorCode, number>> = {};
  const parts: Promise<Uint8Array>[] = [];
  let json: JsonBytes | undefined;
  let textBytes = 0;
  let records = 0;
  let firstOffset = 0;
  let lastOffset = 0;

  const closePart = (): void => {
    if (json === undefined) return;
    textBytes += json.length;
    parts.push(json.compressed(codec, level));
    json = undefined;
  };

  const add: RefusedRecords['add'] = (record, { reason, message }) => {
    if (records === 0) firstOffset = record.offset;
    lastOffset = record.offset;
    records += 1;
    byReason[reason] = (byReason[reason] ?? 0) + 1;
    json ??= createJsonBytes();
    const { section, keyStart, keyEnd, valueStart, valueEnd } = record;
    json.ascii(head);
    writePosition(json, record);
    json.ascii(`,"reason":"${reason}","message":`);
    json.text(message);
    json.ascii(',');
    writeBase64(json, 'key', section, keyStart, keyEnd);
    json.ascii(',"headers":');
    writeHeaders(json, record);
    json.ascii(',');
    writeBase64(json, 'value', section, valueStart, valueEnd);
    json.ascii('}\n');
    if (json.length >= MAX_FRAME_TEXT_BYTES) closePart();
  };

  return {
    add,
    finish: async () => {
      closePart();
      if (records === 0) return undefined;
      const bytes = joinOwned(await Promise.all(parts));
      return { bytes, records, byReason, textBytes, firstOffset, lastOffset };
    },
  };
}
