import { spawnSync } from 'node:child_process';
import zstdLibrary from '@mongodb-js/zstd';

/**
 * Whether a program is on the path: lz4, zstd and gzip are independent witnesses where a machine has them.
 */
export function hasTool(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** What the program writes when it reads `input`; throws when it fails. */
export function pipeThrough(name: string, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(name, args, { input, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${String(stderr)}`);
  return stdout;
}

/** Decompressed by the zstd program, or by its library where the machine has no such program. */
export async function unzstd(input: Buffer): Promise<Buffer> {
  return hasTool('zstd') ? pipeThrough('zstd', ['-dcq'], input) : zstdLibrary.decompress(input);
}
