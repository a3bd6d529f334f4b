import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { runCommand } from './run-command.mjs';

const INSTALL_TIMEOUT_MS = 10 * 60_000;

/**
 * npm writes node_modules/.package-lock.json last, as an account of what it installed. Comparing it with
 * package-lock.json finds a missing, interrupted or outdated install without trusting file times, which a clone or a
 * copy resets.
 */
export function dependenciesAreCurrent(root = ROOT) {
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  const wanted = readPackages(join(root, 'package-lock.json')) ?? {};
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

export async function installDependencies() {
  await runCommand('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
