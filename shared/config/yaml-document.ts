import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Alias,
  type Node,
  type Pair,
  type Scalar,
  type YAMLError,
} from 'yaml';
import { interpolate, type Environment } from './interpolate.ts';
import type { ConfigProblem } from './problem.ts';
import { lineNestedDeeperThan } from './yaml-nesting.ts';

type Path = readonly (string | number)[];

interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML file as plain values, with the places of its keys and values. */
export interface YamlDocument {
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Where the key or the value at a path is; for one that is not there, where the nearest block around it is. */
  readonly positionOf: (path: Path, part: 'key' | 'value') => Position;
  /** Whether the value at a path came from the environment, so that no message repeats it. */
  readonly isFromEnvironment: (path: Path) => boolean;
}

/** Aliases multiply: a file of nine lines can stand for a billion values. No configuration comes near these. */
const MAX_VALUES = 20_000;
const MAX_DEPTH = 50;
/** Far below the thousand levels at which the parser ends its stack. */
const MAX_PARSER_DEPTH = 200;

interface Walk {
  readonly anchors: Map<string, Node>;
  readonly anchored: WeakSet<Node>;
  readonly env: Environment;
  readonly at: (node: Node | null | undefined) => Position;
  readonly places: Map<string, { key: Position; value: Position; fromEnvironment: boolean }>;
  readonly problems: ConfigProblem[];
  values: number;
}

/** Reads YAML 1.2 (core schema) and fills in environment variables in its strings. Never throws on what the text says. */
export function readYaml(text: string, env: Environment): YamlDocument {
  const lines = new LineCounter();
  const places: Walk['places'] = new Map();
  const problems: ConfigProblem[] = [];
  const at = (offset: number | undefined): Position => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  let value: unknown;
  const tooDeep = lineNestedDeeperThan(MAX_PARSER_DEPTH, text);
  if (tooDeep !== undefined) {
    problems.push({ path: [], line: tooDeep, column: 1, message: 'is nested too deep' });
  } else {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
    problems.push(...[...document.errors, ...document.warnings].map((error) => syntaxProblem(error, at)));
    if (problems.length === 0 && document.contents === null) {
      problems.push({ path: [], line: 1, column: 1, message: 'holds no settings' });
    }
    if (problems.length === 0) {
      const anchors = { anchors: new Map(), anchored: new WeakSet<Node>() };
      const walk: Walk = { ...anchors, env, at: (node) => at(node?.range?.[0]), places, problems, values: 0 };
      value = valueOf(document.contents, [], walk);
    }
  }
  return {
    value,
    problems,
    positionOf: (path, part) => nearestPlace(places, path, part),
    isFromEnvironment: (path) => places.get(JSON.stringify(path))?.fromEnvironment ?? false,
  };
}

function valueOf(node: Node | null, path: Path, walk: Walk): unknown {
  walk.values += 1;
  if (walk.values > MAX_VALUES || path.length > MAX_DEPTH) {
    if (walk.values <= MAX_VALUES + 1)
      report(walk, node, [], `holds more than ${MAX_VALUES} values or ${MAX_DEPTH} levels`);
    walk.values = MAX_VALUES + 1;
    return undefined;
  }
  if (isAlias(node)) return aliasedValue(node, path, walk);
  rememberAnchor(node, walk);
  if (isMap<Scalar<string>, Node | null>(node)) return objectOf(node.items, path, walk);
  if (isSeq<Node | null>(node)) {
    return node.items.map((item, index) => {
      const position = walk.at(item ?? node);
      setPlace(walk, [...path, index], position, position);
      return valueOf(item, [...path, index], walk);
    });
  }
  return isScalar(node) ? scalarOf(node, path, walk) : null;
}

/** An unquoted glob such as *.log is an alias to YAML: the mistake that the message speaks of. */
function aliasedValue(alias: Alias, path: Path, walk: Walk): unknown {
  const anchored = walk.anchors.get(alias.source);
  if (anchored !== undefined) return valueOf(anchored, path, walk);
  report(walk, alias, path, `no anchor is named ${alias.source}; text that begins with * must be in quotes`);
  return undefined;
}

/** In the order of the file, once for each node: a later anchor of the same name takes over from there on. */
function rememberAnchor(node: Node | null, walk: Walk): void {
  if (node === null || isAlias(node) || walk.anchored.has(node)) return;
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
    walk.anchored.add(node);
    walk.anchors.set(node.anchor, node);
  }
}

function objectOf(
  pairs: readonly Pair<Scalar<string>, Node | null>[],
  path: Path,
  walk: Walk,
): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const { key, value } of pairs) {
    const name = key.value;
    const place = [...path, name];
    setPlace(walk, place, walk.at(key), walk.at(value ?? key));
    if (name === '<<') report(walk, key, place, 'merge keys are not supported; write the settings out');
    else if (name === '__proto__') report(walk, key, place, 'is not a name that can be used here');
    else object[name] = valueOf(value, place, walk);
  }
  return object;
}

function scalarOf(node: Scalar, path: Path, walk: Walk): unknown {
  if (typeof node.value !== 'string' || !node.value.includes('${')) return node.value;
  const result = interpolate(node.value, walk.env);
  if ('problem' in result) {
    report(walk, node, path, result.problem);
    return node.value;
  }
  const place = walk.places.get(JSON.stringify(path));
  if (place !== undefined) place.fromEnvironment = true;
  return result.value;
}

function setPlace(walk: Walk, path: Path, key: Position, value: Position): void {
  walk.places.set(JSON.stringify(path), { key, value, fromEnvironment: false });
}

function nearestPlace(places: Walk['places'], path: Path, part: 'key' | 'value'): Position {
  const place = places.get(JSON.stringify(path));
  if (place !== undefined) return place[part];
  return path.length === 0 ? { line: 1, column: 1 } : nearestPlace(places, path.slice(0, -1), 'key');
}

function report(walk: Walk, node: Node | null, path: Path, message: string): void {
  walk.problems.push({ path, message, ...walk.at(node) });
}

/** The parser's own words are good, but for the mistakes that people make most. */
function syntaxProblem(error: YAMLError, at: (offset: number) => Position): ConfigProblem {
  const messages: Partial<Record<YAMLError['code'], string>> = {
    DUPLICATE_KEY: 'this key is there twice in the same block; keep one',
    TAB_AS_INDENT: 'a tab cannot indent in YAML; use spaces',
    MULTIPLE_DOCS: 'holds several documents; remove the --- between them',
    TAG_RESOLVE_FAILED: `${error.message}; no tags are needed here`,
  };
  return {
    path: [],
    message: messages[error.code] ?? `not valid YAML: ${error.message}`,
    ...at(error.pos[0]),
  };
}
