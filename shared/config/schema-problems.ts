import type { z } from 'zod';
import { nearest } from './nearest.ts';
import type { ConfigProblem } from './problem.ts';
import {
  alternativesOf,
  expectationOf,
  isNode,
  keysOf,
  nodeAt,
  schemaNodeOf,
  valueAt,
  type SchemaNode,
} from './schema-node.ts';
import type { YamlDocument } from './yaml-document.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/**
 * What zod found wrong with a file, each at its place in the file and in words that say what would be right. A value
 * that came from the environment is never repeated.
 */
export function schemaProblems(
  issues: readonly Issue[],
  schema: z.ZodType,
  document: YamlDocument,
): ConfigProblem[] {
  const root = schemaNodeOf(schema);
  return issues.flatMap((issue) => problemsOf(issue, [], { root, document }));
}

interface Context {
  readonly root: SchemaNode;
  readonly document: YamlDocument;
}

function problemsOf(issue: Issue, prefix: Path, context: Context): ConfigProblem[] {
  const path = [...prefix, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => problem([...path, key], 'key', unknownKey(path, key, context), context));
    case 'invalid_union':
      return unionProblems(issue, path, context);
    case 'invalid_key':
      return [problem(path, 'key', issue.issues[0]?.message ?? issue.message, context)];
    case 'custom':
    case 'invalid_format':
      return [problem(path, 'value', issue.message, context)];
    default:
      return [problem(path, 'value', wrongValue(issue, path, context), context)];
  }
}

/** Errors that say that a value is of another kind than an alternative, rather than wrong in its details. */
const KIND_ERRORS: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value', 'invalid_union']);

/** Of several alternatives the one that the file means is judged: the one whose kind of value it has. */
function unionProblems(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Path,
  context: Context,
): ConfigProblem[] {
  const value = valueAt(context.document.value, path);
  const meant = issue.errors.find((errors) =>
    errors.every(({ path, code }) => path.length > 0 || !KIND_ERRORS.has(code)),
  );
  if (meant !== undefined && value !== undefined)
    return meant.flatMap((error) => problemsOf(error, path, context));
  return [problem(path, 'value', wrongValue(issue, path, context), context)];
}

function wrongValue(issue: Issue, path: Path, context: Context): string {
  const value = valueAt(context.document.value, path);
  const node = plainNodeAt(path, context);
  const must = mustBe(issue, node);
  if (value === undefined) return `is missing; it ${must}`;
  if (value === null) return `has no value; it ${must}`;
  if (issue.code === 'too_small' && issue.origin === 'string') return 'must not be empty';
  if (issue.code === 'too_small' && issue.origin === 'array') return issue.message;
  if (issue.code === 'invalid_type' && issue.expected === 'string' && typeof value !== 'object') {
    return `${must}, not a ${typeof value}; put it in quotes`;
  }
  return `${must}${notThat(value, path, node, context)}`;
}

function mustBe(issue: Issue, node: SchemaNode | undefined): string {
  if (issue.code === 'invalid_union' && 'options' in issue && issue.options !== undefined) {
    return `must be one of ${issue.options.join(', ')}`;
  }
  return node === undefined ? issue.message : `must be ${expectationOf(node)}`;
}

/** The node at a path with all its alternatives, where `nodeAt` would pick one. */
function plainNodeAt(path: Path, { root, document }: Context): SchemaNode | undefined {
  const block = nodeAt(root, path.slice(0, -1), document.value);
  const key = path.at(-1);
  if (block === undefined || key === undefined) return block;
  const child =
    typeof key === 'number' ? block.items : (block.properties?.[key] ?? block.additionalProperties);
  return isNode(child) ? child : undefined;
}

function notThat(value: unknown, path: Path, node: SchemaNode | undefined, { document }: Context): string {
  if (typeof value === 'object') return Array.isArray(value) ? ', not a list' : ', not a block';
  if (document.isFromEnvironment(path)) return '; the environment gave something else';
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  if (shown.length > 40) return '';
  const choices = (node?.enum ?? []).map(String);
  if (typeof value === 'string' && (node?.type === 'integer' || node?.type === 'boolean'))
    return `, not the text ${shown}`;
  const close = nearest(shown, choices);
  return close === undefined ? `, not ${shown}` : `, not ${shown}; did you mean ${close}?`;
}

/** Names the key that was probably meant: a near one in the same block, or the same one in another block. */
function unknownKey(path: Path, key: string, { root, document }: Context): string {
  const known = keysOf(nodeAt(root, path, document.value));
  const close = nearest(key, known);
  if (close !== undefined) return `is not a setting; did you mean ${close}?`;
  const node = plainNodeAt(path, { root, document });
  const isOfAnotherType =
    node !== undefined && alternativesOf(node).some((other) => keysOf(other).includes(key));
  const elsewhere = isOfAnotherType ? [] : blocksWith(root, key);
  if (elsewhere.length > 0) return `is not a setting here; it belongs into ${elsewhere.join(' or ')}`;
  return `is not a setting; there are ${known.join(', ')}`;
}

/** Names of the blocks right below the top that have this key; `the top of the file` for the top itself. */
function blocksWith(root: SchemaNode, key: string): string[] {
  const blocks = Object.entries(root.properties ?? {}).filter(
    ([, child]) =>
      isNode(child) && alternativesOf(child).some((alternative) => keysOf(alternative).includes(key)),
  );
  return [...(keysOf(root).includes(key) ? ['the top of the file'] : []), ...blocks.map(([name]) => name)];
}

function problem(path: Path, part: 'key' | 'value', message: string, { document }: Context): ConfigProblem {
  return { path, message, ...document.positionOf(path, part) };
}
