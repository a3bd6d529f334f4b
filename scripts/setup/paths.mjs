import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, whatever directory the command was started from. */
export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..');
export const STACK_DIR = join(ROOT, '.stack');
export const JARS_DIR = join(STACK_DIR, 'jars');
const TEMP_DIR = join(STACK_DIR, 'tmp');

/**
 * Half-done work lives here and is renamed to its place when it is whole. It is in the same file system as its
 * destination, which is what makes the rename atomic.
 */
export function makeWorkDir() {
  mkdirSync(TEMP_DIR, { recursive: true });
  return mkdtempSync(join(TEMP_DIR, 'setup-'));
}

/** What an interrupted run left. Only for the holder of the setup lock: nobody else has work in progress then. */
export function removeLeftovers() {
  try {
    for (const name of readdirSync(TEMP_DIR)) {
      if (name.startsWith('setup-')) rmSync(join(TEMP_DIR, name), { recursive: true, force: true });
    }
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}
