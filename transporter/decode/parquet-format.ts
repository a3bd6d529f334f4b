import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import { ENVELOPE_COLUMNS } from '../../shared/config/envelope-columns.ts';
import { fitValue, isExact, mayBeInexact } from './column-value.ts';
import type { DecodeLayout } from './decode-range.ts';
import { hasHeaders, NO_TIMESTAMP, writeHeaders } from './envelope.ts';
import { createJsonBytes } from './json-bytes.ts';
import { fieldOf, type JsonValues } from './json-value.ts';
import { type ColumnValue, type ColumnWriter, createColumn } from './parquet-column.ts';
import { rowGroupOf } from './parquet-row-group.ts';
import { declaredElement, envelopeElement, type EnvelopeColumn } from './parquet-schema.ts';
import { type BucketWriter, type RecordFormat, tooLarge } from './record-format.ts';
import type { RecordView } from './record-view.ts';
import type { Refusal } from './refused-records.ts';

/** Format `parquet`: a row for each record, and a row group for each frame. */
export function parquetFormat(place: TopicPartition, layout: DecodeLayout, json: JsonValues): RecordFormat {
  const picks = layout.columns.map((column) => ({
    field: column.field ?? column.name,
    type: column.type,
    fit: fitValue(column),
    isExact: isExact(column),
  }));
  /** The picked values of the record that was asked about last. */
  const row: (ColumnValue | null)[] = picks.map(() => null);

  const refusalOf = (record: RecordView): Refusal | undefined => {
    const large = tooLarge(record);
    if (large !== undefined || picks.length === 0) return large;
    if (record.valueStart < 0) {
      row.fill(null); // a tombstone has no fields
      return undefined;
    }
    const object = json.objectOf(record);
    if (object === undefined) return { reason: 'RECORD_NOT_JSON', message: 'the value is not a JSON object' };
    for (const [index, { field, type, fit, isExact }] of picks.entries()) {
      let value = fieldOf(object, field) ?? null;
      if (isExact && mayBeInexact(value)) value = fieldOf(json.exactObjectOf(record) ?? {}, field) ?? null;
      const fitting = value === null ? null : fit(value);
      if (fitting === undefined)
        return { reason: 'RECORD_FIELD_UNFIT', message: `field ${field} does not fit ${type}` };
      row[index] = fitting;
    }
    return undefined;
  };

  const openBucket = (): BucketWriter => {
    const envelope = openEnvelope(place, layout);
    const picked = layout.columns.map((column) => createColumn(declaredElement(column), layout));
    const columns = [...envelope.columns, ...picked];
    return {
      write: (record) => {
        envelope.add(record);
        for (const [index, column] of picked.entries()) {
          const value = row[index] ?? null;
          if (value === null) column.addNull();
          else column.add(value);
        }
      },
      get textBytes() {
        return columns.reduce((sum, column) => sum + column.plainBytes, 0);
      },
      finish: async () => {
        envelope.close();
        return rowGroupOf(await Promise.all(columns.map((column) => column.finish())), layout.codec);
      },
    };
  };

  return { refusalOf, openBucket };
}

/** The columns that every record has. */
interface Envelope {
  columns: ColumnWriter[];
  add(record: RecordView): void;
  /** No record follows. */
  close(): void;
}

function openEnvelope({ topic, partition }: TopicPartition, layout: DecodeLayout): Envelope {
  const open = (name: EnvelopeColumn): ColumnWriter => createColumn(envelopeElement(name), layout);
  const to = {
    topic: open('topic'),
    partition: open('partition'),
    offset: open('offset'),
    timestamp: open('timestamp'),
    key: open('key'),
    key_bytes: open('key_bytes'),
    headers: open('headers'),
    value: open('value'),
    value_bytes: open('value_bytes'),
  } satisfies Record<EnvelopeColumn, ColumnWriter>;
  const topicBytes = Buffer.from(topic);
  const headers = createJsonBytes();

  const add = (record: RecordView): void => {
    const { section, offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd } = record;
    to.topic.addBytes(topicBytes, 0, topicBytes.length);
    to.partition.add(partition);
    to.offset.add(offset);
    if (timestampMs === NO_TIMESTAMP) to.timestamp.addNull();
    else to.timestamp.add(timestampMs);
    addText(to.key, to.key_bytes, section, keyStart, keyEnd);
    addText(to.value, to.value_bytes, section, valueStart, valueEnd);
    if (!hasHeaders(record)) {
      to.headers.addNull();
      return;
    }
    headers.cutTo(0);
    writeHeaders(headers, record);
    to.headers.addBytes(headers.view(), 0, headers.length);
  };

  const columns = ENVELOPE_COLUMNS.map((name) => to[name]);
  return { columns, add, close: () => headers.release() };
}

/** Readers take a text that is not UTF-8 for a damaged file, so such bytes have a column of their own. */
function addText(text: ColumnWriter, bytes: ColumnWriter, section: Buffer, start: number, end: number): void {
  const isText = start >= 0 && text.addUtf8(section, start, end);
  if (!isText) text.addNull();
  if (isText || start < 0) bytes.addNull();
  else bytes.addBytes(section, start, end);
}
