import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { expect } from 'vitest';
import { z } from 'zod';
import { sharedStack } from '../../support/shared-stack.ts';

const successSchema = z.object({
  records: z.number(),
  objects: z.array(z.object({ key: z.string(), bytes: z.number(), records: z.number(), crc32c: z.string() })),
});

/** Year, month, day and hour in the folder of an object, whatever is between them. */
const HOUR = /(\d{4})[-/](\d\d)[-/](\d\d)(?:\/hr=|[-/])(\d\d)\/[^/]*$/;

const hourOf = (name: string): string => HOUR.exec(name)!.slice(1).join(' ');

function bucketFolder(): string {
  const { objectsDir, s3 } = sharedStack();
  return join(objectsDir, s3.bucket);
}

function namesIn(prefix: string): string[] {
  const folder = join(bucketFolder(), prefix);
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
}

/** Names of the `_SUCCESS` objects below a prefix. */
export function finishedHours(prefix: string): string[] {
  return namesIn(prefix).filter((name) => name.endsWith('/_SUCCESS'));
}

/**
 * What the `_SUCCESS` of a topic's hours say is so, whichever layout each worker had: what they list is there, to the
 * byte, and everything else of their hours was stored before them, in another folder, or has a marker that says that it is late.
 * `records` are those of each object. Returns how many objects are late.
 */
export function expectFinishedHours(prefix: string, records: ReadonlyMap<string, number>): { late: number } {
  const bucket = bucketFolder();
  const names = namesIn(prefix);
  const mtimeOf = (name: string): bigint => statSync(join(bucket, prefix, name), { bigint: true }).mtimeNs;
  const isLate = (name: string): boolean => {
    const [, place] = /\/(\d+-\d+)[^/]*$/.exec(name)!;
    return names.some((other) => other.startsWith(`${dirname(name)}/_LATE-${place}`));
  };
  for (const success of finishedHours(prefix)) {
    const said = successSchema.parse(JSON.parse(readFileSync(join(bucket, prefix, success), 'utf8')));
    const listed = said.objects.map(({ key }) => key.slice(prefix.length + 1));
    for (const [i, name] of listed.entries()) {
      const content = readFileSync(join(bucket, prefix, name));
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32BE(crc32c(content));
      const found = {
        bytes: content.length,
        records: records.get(name),
        crc32c: checksum.toString('base64'),
      };
      expect({ name, ...said.objects[i] }).toMatchObject({ name, ...found });
    }
    expect(said.records).toBe(said.objects.reduce((sum, object) => sum + object.records, 0));
    const ofHour = [...records.keys()].filter((name) => hourOf(name) === hourOf(success));
    const silent = ofHour.filter(
      (name) =>
        !isLate(name) &&
        (mtimeOf(name) > mtimeOf(success) || (dirname(name) === dirname(success) && !listed.includes(name))),
    );
    expect({ success, silent }).toEqual({ success, silent: [] });
  }
  return { late: [...records.keys()].filter(isLate).length };
}
