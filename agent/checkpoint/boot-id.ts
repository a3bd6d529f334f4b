import { readFile } from 'node:fs/promises';

/** Another one after each start of the machine, see random(4); undefined where the kernel has none. */
export async function readBootId(): Promise<string | undefined> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return undefined;
  }
}
