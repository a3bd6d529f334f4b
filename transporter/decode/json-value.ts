import type { RecordView } from './record-view.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads values as JSON, each at most once however many fields are asked for. */
export interface JsonValues {
  /** The value as an object; undefined when it is null, or no JSON, or JSON of something else. */
  objectOf(record: RecordView): JsonObject | undefined;
  /**
   * The same with numbers that a double may not hold as strings of their digits: JSON has no limit, and
   * identifiers of 64 bits are common.
   */
  exactObjectOf(record: RecordView): JsonObject | undefined;
}

export function createJsonValues(): JsonValues {
  let of: Pick<RecordView, 'section' | 'valueStart'> | undefined;
  let object: JsonObject | undefined;

  return {
    objectOf: (record) => {
      if (of?.section === record.section && of.valueStart === record.valueStart) return object;
      of = { section: record.section, valueStart: record.valueStart };
      object = parse(textOf(record));
      return object;
    },
    exactObjectOf: (record) => parse(withExactNumbers(textOf(record))),
  };
}

/**
 * Field `a.b` is field `b` of the object in field `a`, unless there is a field with the name `a.b` itself.
 * Undefined when there is none.
 */
export function fieldOf(object: JsonObject, field: string): unknown {
  if (Object.hasOwn(object, field)) return object[field];
  let at: unknown = object;
  for (const name of field.split('.')) {
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

function textOf({ section, valueStart, valueEnd }: RecordView): string {
  return valueStart < 0 ? '' : section.toString('utf8', valueStart, valueEnd);
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Strings are tokens of their own, so digits inside of them are left alone. */
function withExactNumbers(json: string): string {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    /^-?\d[\d.]{15,}$/.test(token) ? `"${token}"` : token,
  );
}
