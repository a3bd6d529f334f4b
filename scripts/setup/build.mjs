import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './paths.mjs';
import { runCommand } from './run-command.mjs';

const DIST = join(ROOT, 'dist');
/** Inside dist/, so that whoever removes dist/ also removes the belief that it is built. */
const BUILD_INFO = join(DIST, '.tsbuildinfo');
const BUILD_TIMEOUT_MS = 5 * 60_000;

/**
 * Compiles what changed and removes outputs whose source is gone: a renamed file must not go on being imported.
 * The compiler knows what it wrote, not what was deleted since, so a missing output makes it start over.
 */
export async function buildSources() {
  const expected = expectedOutputs();
  if (!expected.every((path) => existsSync(join(DIST, path)))) rmSync(BUILD_INFO, { force: true });
  removeStale(new Set(expected));
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await runCommand(
    process.execPath,
    [compiler, '-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', BUILD_INFO],
    { timeoutMs: BUILD_TIMEOUT_MS },
  );
}

function expectedOutputs() {
  const { include } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.build.json'), 'utf8'));
  return include
    .flatMap((folder) => filesIn(join(ROOT, folder)))
    .filter((path) => /\.[cm]?ts$/.test(path) && !/\.d\.[cm]?ts$/.test(path))
    .map((path) => relative(ROOT, path).replace(/ts$/, 'js'));
}

function removeStale(expected) {
  for (const path of filesIn(DIST)) {
    const output = relative(DIST, path).replace(/\.map$/, '');
    if (/\.[cm]?js$/.test(output) && !expected.has(output)) rmSync(path, { force: true });
  }
}

function filesIn(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
