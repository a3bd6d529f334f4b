import { escapePath } from 'tinyglobby';
import { formatBytes } from './format.ts';
import type { Written } from './generate.ts';
import type { LineSource } from './line-source.ts';
import { createUserCheck } from './user-check.ts';
import type { UserFile, UserFiles } from './user-files.ts';
import { closeUserFiles } from './user-files.ts';

/** Three brokers and S3, should nothing compress. */
const DISK_COPIES = 4;

/**
 * Files of the user's own, tailed where they are. What was in them when they were opened must arrive exactly once.
 * Reads them through first. @throws UsageError for lines that cannot be carried whole
 */
export async function openUserSource({ files, leftOut }: UserFiles): Promise<LineSource> {
  const check = await createUserCheck(files);
  const sum = (pick: (snapshot: Written) => number): number =>
    check.snapshots.reduce((total, snapshot) => total + pick(snapshot), 0);
  const total = { lines: sum(({ lines }) => lines), bytes: sum(({ bytes }) => bytes) };
  const sizeBytes = files.reduce((bytes, file) => bytes + file.sizeBytes, 0);

  return {
    summary: [
      `${files.length} file(s) of yours, ${formatBytes(sizeBytes)}; they are read where they are, nothing is changed`,
      ...leftOut.map(({ name, reason }) => `left out: ${name}: ${reason}`),
    ],
    diskBytes: sizeBytes * DISK_COPIES,
    include: dealBySize(files).map((own) => own.map(({ path }) => escapePath(path))),
    start: (agentsStartedAt) => agentsStartedAt,
    written: total,
    total,
    isCarried: ({ files: readFiles }) =>
      files.every(({ path }, index) => {
        const states = readFiles.filter((file) => file.path === path);
        // An agent forgets a file that was deleted or rotated when it has read all of it.
        return states.length === 0 || states.some((file) => file.readBytes >= check.snapshots[index]!.bytes);
      }),
    async openCheck() {
      await check.allowLater();
      return check;
    },
    close: () => closeUserFiles(files),
  };
}

/** One list for each of the two agents, the largest files first to the one that has less. */
function dealBySize(files: readonly UserFile[]): [UserFile[], UserFile[]] {
  const lists: [UserFile[], UserFile[]] = [[], []];
  const bytes = [0, 0];
  for (const file of files.toSorted((a, b) => b.sizeBytes - a.sizeBytes)) {
    const agent = bytes[0]! <= bytes[1]! ? 0 : 1;
    lists[agent].push(file);
    bytes[agent]! += file.sizeBytes;
  }
  return lists;
}
