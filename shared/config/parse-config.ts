import type { z } from 'zod';
import { deepFreeze } from './deep-freeze.ts';
import type { Environment } from './interpolate.ts';
import { keyPath, problemsError, type ConfigProblem } from './problem.ts';
import { schemaProblems } from './schema-problems.ts';
import { readYaml, type YamlDocument } from './yaml-document.ts';

/** Reports something that only shows when a file meets the machine or another file; parsing then fails with it. */
export type Report = (path: readonly (string | number)[], message: string) => void;

/**
 * Text to frozen configuration: YAML, then the schema, then `resolve`, which fills in what the schema cannot know.
 * @throws SkaldError CONFIG_INVALID with all problems of the step that failed, each with its place in the file.
 */
export function parseConfig<Parsed, Config>(
  file: string,
  text: string,
  env: Environment,
  schema: z.ZodType<Parsed>,
  resolve: (parsed: Parsed, report: Report) => Config,
): Config {
  const document = readYaml(text, env);
  if (document.value === undefined) throw problemsError(file, document.problems);
  const result = schema.safeParse(document.value);
  const problems = [...document.problems, ...firstOfEachPlace(result.error?.issues ?? [], schema, document)];
  if (!result.success || problems.length > 0) throw problemsError(file, problems);

  const found: ConfigProblem[] = [];
  const config = resolve(result.data, (path, message) => {
    found.push({ path, message, ...document.positionOf(path, 'value') });
  });
  if (found.length > 0) throw problemsError(file, found);
  return deepFreeze(config);
}

/** A value whose variable is missing is wrong once, not also for the schema that sees the unfilled text. */
function firstOfEachPlace(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  document: YamlDocument,
): ConfigProblem[] {
  const known = new Set(document.problems.map((problem) => keyPath(problem.path)));
  return schemaProblems(issues, schema, document).filter((problem) => !known.has(keyPath(problem.path)));
}
