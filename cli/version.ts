import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const packageSchema = z.object({ version: z.string() });

/** The version in the package.json nearest above this file: one folder up in the source, two in what is published. */
export function packageVersion(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return packageSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).version;
}

/** `skald version`: what to put into a report. */
export function versionText(): string {
  return `skald ${packageVersion()} (node ${process.versions.node}, ${process.platform} ${process.arch})`;
}
