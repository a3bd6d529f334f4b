import type { S3Access } from '../stack/s3proxy.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';
import type { LineCheck, Verdict } from './line-check.ts';
import type { Screen } from './screen.ts';
import { openStoredLines } from './stored-lines.ts';
import type { StoredObject } from './stored-lines.ts';

export interface ReadBack {
  verdict: Verdict;
  objects: readonly StoredObject[];
  /** Of all objects, decompressed. */
  textBytes: number;
}

/** Reads every object under a prefix and gives each of its lines to the check. */
export async function readBack(
  access: S3Access,
  prefix: string,
  check: LineCheck,
  { screen, signal }: { screen: Screen; signal: AbortSignal },
): Promise<ReadBack> {
  const startedAt = performance.now();
  const stored = openStoredLines(access, `${prefix}/`, signal);
  let lines = 0;
  let textBytes = 0;
  try {
    const objects = await stored.list();
    for (const [index, object] of objects.entries()) {
      signal.throwIfAborted();
      textBytes += await stored.read(object, (line) => {
        lines += 1;
        check.take(line);
      });
      const text = `read back ${index + 1} of ${objects.length} objects, ${formatCount(lines)} lines`;
      screen.show({ block: [`  ${text}`], line: text });
    }
    screen.clear();
    const verdict = await check.finish();
    const seconds = formatSeconds(performance.now() - startedAt);
    screen.print(
      `Read back ${objects.length} objects with ${formatCount(lines)} lines, ${formatBytes(textBytes)}, in ${seconds}.`,
    );
    return { verdict, objects, textBytes };
  } finally {
    stored.close();
  }
}
