import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const VERSION_TIMEOUT_MS = 10_000;

/** The path of a program in PATH, or where daemons are, which is not in every user's PATH. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders.filter((one) => one !== '')) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/** What `pattern` catches in what a program says about itself; undefined when it is not there or does not start. */
export async function programVersion(
  name: string,
  args: readonly string[],
  pattern: RegExp,
): Promise<string | undefined> {
  const program = await findProgram(name);
  if (program === undefined) return undefined;
  const said = await promisify(execFile)(program, args, { timeout: VERSION_TIMEOUT_MS }).catch(
    () => undefined,
  );
  return said && pattern.exec(`${said.stdout}${said.stderr}`)?.slice(1).join(', ');
}
