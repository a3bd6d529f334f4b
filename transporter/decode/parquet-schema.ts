import type { SchemaElement } from 'hyparquet';
import type { ColumnConfig } from '../../shared/config/column-config.ts';
import { ENVELOPE_COLUMNS } from '../../shared/config/envelope-columns.ts';

export type EnvelopeColumn = (typeof ENVELOPE_COLUMNS)[number];
type Physical = Omit<SchemaElement, 'name' | 'repetition_type'>;

const BINARY: Physical = { type: 'BYTE_ARRAY' };
const TEXT: Physical = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };

/** Old readers know the converted type, new ones the logical one. */
const TIMESTAMP: Readonly<Record<'MILLIS' | 'MICROS', Physical>> = {
  MILLIS: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  MICROS: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
};

const ENVELOPE: Readonly<Record<EnvelopeColumn, Physical>> = {
  topic: TEXT,
  partition: { type: 'INT32' },
  offset: { type: 'INT64' },
  timestamp: TIMESTAMP.MILLIS,
  key: TEXT,
  key_bytes: BINARY,
  headers: TEXT,
  value: TEXT,
  value_bytes: BINARY,
};

const ALWAYS_THERE: ReadonlySet<string> = new Set(['topic', 'partition', 'offset']);

const DECLARED: Readonly<Record<string, Physical>> = {
  string: TEXT,
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  float: { type: 'FLOAT' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  timestamp: TIMESTAMP.MICROS,
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
};

export function envelopeElement(name: EnvelopeColumn): SchemaElement {
  return elementOf(name, ENVELOPE[name], ALWAYS_THERE.has(name));
}

export function declaredElement({ name, type }: ColumnConfig): SchemaElement {
  return elementOf(name, DECLARED[type] ?? decimal(type), false);
}

/** As a file has it: the root, then the columns that hang from it, those of the envelope first. */
export function parquetSchema(columns: readonly ColumnConfig[]): SchemaElement[] {
  const elements = [...ENVELOPE_COLUMNS.map(envelopeElement), ...columns.map(declaredElement)];
  return [{ name: 'record', num_children: elements.length }, ...elements];
}

function elementOf(name: string, physical: Physical, isRequired: boolean): SchemaElement {
  return { ...physical, name, repetition_type: isRequired ? 'REQUIRED' : 'OPTIONAL' };
}

/** `decimal(p,s)` of up to 18 digits, which 64 bits hold. */
export function decimalShape(type: string): { precision: number; scale: number } {
  const [, precision, scale] = /^decimal\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (precision === undefined) throw new TypeError(`column type ${type}`);
  return { precision: Number(precision), scale: Number(scale) };
}

function decimal(type: string): Physical {
  const { precision, scale } = decimalShape(type);
  const logical_type = { type: 'DECIMAL', precision, scale } as const;
  return { type: 'INT64', converted_type: 'DECIMAL', precision, scale, logical_type };
}
