import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { reasonOf } from './config-text.ts';
import type { Report } from './parse-config.ts';

/** Files that a configuration file names: taken from its own folder, and reported at the key that names them. */
export interface ReferencedFiles {
  readonly absolute: (path: string) => string;
  /** Absolute path of a file that can be read now. */
  readonly readable: (path: string, key: readonly (string | number)[]) => string;
  /** Content without line breaks at its end; empty, and reported, when it cannot be read. */
  readonly content: (path: string, key: readonly (string | number)[]) => string;
}

export function referencedFiles(configFile: string, report: Report): ReferencedFiles {
  const absolute = (path: string) => resolve(dirname(configFile), path);
  const attempt = (
    path: string,
    key: readonly (string | number)[],
    read: (file: string) => string,
  ): string => {
    const file = absolute(path);
    try {
      return read(file);
    } catch (error) {
      report(key, `file ${file} ${reasonOf(error)}`);
      return '';
    }
  };
  return {
    absolute,
    readable: (path, key) =>
      attempt(path, key, (file) => {
        accessSync(file, constants.R_OK);
        return file;
      }),
    content: (path, key) =>
      attempt(path, key, (file) => {
        const content = readFileSync(file, 'utf8').replace(/[\r\n]+$/, '');
        if (content === '') report(key, `file ${file} is empty`);
        return content;
      }),
  };
}
