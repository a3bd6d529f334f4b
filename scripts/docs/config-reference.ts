import type { z } from 'zod';
import { parseBytes, parseDurationMs } from '../../shared/config/units.ts';
import { alternativesOf, isNode, schemaNodeOf, type SchemaNode } from '../../shared/config/schema-node.ts';
import { markdownTable } from './markdown-table.ts';

/** One line of the reference page, in Markdown. */
export interface SettingRow {
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly unit: string;
  readonly meaning: string;
}

/** The reference of one kind of file: a row for each key, blocks before what is in them, in the order of the schema. */
export function configReference(schema: z.ZodType): string {
  const rows = settingRows(schema).map((row) => [row.key, row.type, row.default, row.unit, row.meaning]);
  return markdownTable(['Key', 'Type', 'Default', 'Unit', 'Meaning'], rows);
}

export function settingRows(schema: z.ZodType): SettingRow[] {
  return rowsInside(schemaNodeOf(schema), '');
}

function rowsInside(node: SchemaNode, prefix: string): SettingRow[] {
  return alternativesOf(node).flatMap((alternative) => {
    const required = new Set(alternative.required);
    return Object.entries(alternative.properties ?? {}).flatMap(([name, child]) =>
      isNode(child) ? rowsOf(child, prefix === '' ? name : `${prefix}.${name}`, required.has(name)) : [],
    );
  });
}

function rowsOf(node: SchemaNode, key: string, required: boolean): SettingRow[] {
  const own: SettingRow = {
    key: `\`${key}\``,
    type: typeOf(node),
    default: required ? '**required**' : defaultOf(node),
    unit: typeof node['unit'] === 'string' ? node['unit'] : '',
    meaning: node.description ?? '',
  };
  const items = isNode(node.items) ? rowsInside(node.items, `${key}[]`) : [];
  const entries = isNode(node.additionalProperties)
    ? rowsInside(node.additionalProperties, `${key}.<name>`)
    : [];
  return [own, ...rowsInside(node, key), ...items, ...entries];
}

function typeOf(node: SchemaNode): string {
  if (node.oneOf !== undefined || node.anyOf !== undefined) {
    return [...new Set(alternativesOf(node).map(typeOf))].join(' or ');
  }
  if (node['unit'] === 'bytes') return `size, ${shownBytes(node.minimum)} to ${shownBytes(node.maximum)}`;
  if (node['unit'] === 'ms') return `duration, ${shownMs(node.minimum)} to ${shownMs(node.maximum)}`;
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(', ');
  if (node.type === 'boolean') return '`true`, `false`';
  if (node.type === 'integer') return `whole number, ${node.minimum} to ${node.maximum}`;
  if (node.type === 'array') return isNode(node.items) ? `list of ${typeOf(node.items)}` : 'list';
  if (node.type === 'object') return isNode(node.additionalProperties) ? 'names with values' : 'block';
  return 'text';
}

function defaultOf(node: SchemaNode): string {
  if (typeof node['defaultText'] === 'string') return node['defaultText'];
  const value = node.default;
  if (value === undefined || (node.type !== 'array' && typeof value === 'object')) return '';
  if (typeof value !== 'string') return `\`${JSON.stringify(value)}\``;
  if (node['unit'] === 'bytes') return `\`${value}\` (${parseBytes(value)})`;
  if (node['unit'] === 'ms') return `\`${value}\` (${parseDurationMs(value)})`;
  return `\`${value}\``;
}

function shownBytes(bytes = 0): string {
  return shownIn(bytes, [
    [1024 ** 4, 'TiB'],
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
    [1024, 'KiB'],
  ]);
}

function shownMs(milliseconds = 0): string {
  return shownIn(milliseconds, [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1000, 's'],
    [1, 'ms'],
  ]);
}

function shownIn(value: number, units: readonly (readonly [number, string])[]): string {
  const unit = units.find(([factor]) => value >= factor && value % factor === 0);
  return unit === undefined || value === 0 ? String(value) : `${value / unit[0]}${unit[1]}`;
}
