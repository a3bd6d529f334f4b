import type { Environment } from './interpolate.ts';
import type { Report } from './parse-config.ts';
import { RACK_NAME } from './process-config.ts';
import type { ReferencedFiles } from './referenced-file.ts';

/** SKALD_RACK first, so that one file serves machines of all racks; then the file's own word, then the rack file. */
export function resolveRack(
  parsed: { readonly rack?: string | undefined; readonly rackFile?: string | undefined },
  env: Environment,
  files: ReferencedFiles,
  report: Report,
): { rack?: string } {
  const fromEnvironment = env['SKALD_RACK'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    if (!RACK_NAME.test(fromEnvironment)) report([], 'environment variable SKALD_RACK must be one word');
    return { rack: fromEnvironment };
  }
  if (parsed.rack !== undefined) return { rack: parsed.rack };
  if (parsed.rackFile === undefined) return {};
  const rack = files.content(parsed.rackFile, ['rackFile']).trim();
  if (rack !== '' && !RACK_NAME.test(rack)) report(['rackFile'], 'its content must be one word');
  return { rack };
}
