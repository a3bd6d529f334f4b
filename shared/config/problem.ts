import { SkaldError } from '../errors.ts';

/** One thing that is wrong with a configuration file: what, where, and what would be right. */
export interface ConfigProblem {
  /** Keys and list indexes from the top of the file; empty for the file as a whole. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Both from 1; columns count UTF-16 units, as editors do. */
  readonly line: number;
  readonly column: number;
}

/** `topics[2].chunk.maxBytes`; empty for the top of the file. */
export function keyPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((shown, key) => {
    if (typeof key === 'number') return `${shown}[${key}]`;
    return shown === '' ? key : `${shown}.${key}`;
  }, '');
}

/**
 * All problems of a file as one CONFIG_INVALID, in the order of the file, each as `file:line:column: key: message` so
 * that editors and people find the place.
 */
export function problemsError(file: string, problems: readonly ConfigProblem[]): SkaldError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted.map((problem) => {
    const key = keyPath(problem.path);
    return `${file}:${problem.line}:${problem.column}: ${key === '' ? '' : `${key}: `}${problem.message}`;
  });
  const message =
    lines.length === 1 ? lines.join('') : `${file} has ${lines.length} problems:\n  ${lines.join('\n  ')}`;
  const [first] = sorted;
  return new SkaldError('CONFIG_INVALID', message, {
    where: {
      file,
      ...(first === undefined ? {} : { line: first.line, column: first.column, key: keyPath(first.path) }),
      problems: problems.length,
    },
  });
}
