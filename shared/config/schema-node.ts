import { z } from 'zod';

/**
 * A node of the JSON Schema that zod makes of a configuration schema. It knows what a file may hold at a place: for
 * error messages that say what would be right, and for the reference page.
 */
export type SchemaNode = z.core.JSONSchema.JSONSchema;

/** Schemas are constants of their modules; the conversion takes milliseconds, and a folder has many files. */
const known = new WeakMap<z.ZodType, SchemaNode>();

export function schemaNodeOf(schema: z.ZodType): SchemaNode {
  const node = known.get(schema) ?? z.toJSONSchema(schema, { io: 'input' });
  known.set(schema, node);
  return node;
}

/** Names of the keys that a block at this node may have. */
export function keysOf(node: SchemaNode | undefined): string[] {
  return Object.keys(node?.properties ?? {});
}

/**
 * The node at a path. Where a node has alternatives, the data of the file picks: the block whose `type` it names, else
 * the first block. Undefined for a path that the schema does not know.
 */
export function nodeAt(
  node: SchemaNode,
  path: readonly PropertyKey[],
  data: unknown,
): SchemaNode | undefined {
  const here = blockOf(node, data);
  const [key, ...rest] = path;
  if (key === undefined) return here;
  const child =
    typeof key === 'number' ? here.items : (here.properties?.[String(key)] ?? here.additionalProperties);
  return isNode(child) ? nodeAt(child, rest, childOf(data, key)) : undefined;
}

/** The alternatives of a node; the node itself when it has none. */
export function alternativesOf(node: SchemaNode): readonly SchemaNode[] {
  return node.oneOf ?? node.anyOf ?? [node];
}

export function childOf(data: unknown, key: PropertyKey): unknown {
  return typeof data === 'object' && data !== null && Object.hasOwn(data, key)
    ? Reflect.get(data, key)
    : undefined;
}

export function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(childOf, data);
}

export function isNode(node: unknown): node is SchemaNode {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

function blockOf(node: SchemaNode, data: unknown): SchemaNode {
  const blocks = alternativesOf(node).filter((alternative) => alternative.type === 'object');
  const named = blocks.find((block) => {
    const type = block.properties?.['type'];
    return isNode(type) && type.const === childOf(data, 'type');
  });
  return named ?? blocks[0] ?? node;
}

/** What a value at this node has to be; ends the sentence "must be …". */
export function expectationOf(node: SchemaNode): string {
  if (node.oneOf !== undefined || node.anyOf !== undefined) {
    return [...new Set(alternativesOf(node).map(expectationOf))].join(', or ');
  }
  if (node['unit'] === 'bytes') return 'a size in bytes, such as 1048576 or 1MiB';
  if (node['unit'] === 'ms') return 'a duration in milliseconds, such as 5000 or 5s';
  if (node.const !== undefined) return String(node.const);
  if (node.enum !== undefined) return `one of ${node.enum.join(', ')}`;
  if (node.type === 'boolean') return 'true or false';
  if (node.type === 'integer') return `a whole number from ${node.minimum} to ${node.maximum}`;
  if (node.type === 'array') return 'a list, one item to a line that begins with -';
  if (node.type === 'object') {
    const keys = keysOf(node);
    return keys.length === 0 ? 'a block of names and values' : `a block with ${keys.join(', ')}`;
  }
  return 'text';
}
