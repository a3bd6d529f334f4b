/** How applications and their log rotation treat files. Each runs until it is over and leaves no line unfinished. */
import type { WriteHandle } from '../support/sim-disk.ts';
import type { Application } from './application.ts';

export type Habit = (app: Application) => Promise<void>;

function pathOf(app: Application): string {
  return `/logs/${app.name}.log`;
}

/** Writes bursts into what `log` gives, and calls `rotate` between some of them. */
async function writeAndRotate(
  app: Application,
  share: number,
  log: () => WriteHandle,
  rotate: () => Promise<void> | void,
): Promise<void> {
  while (!app.over) {
    await app.write(log(), app.number(1, 25));
    await app.pause(1, 150);
    if (app.chance(share)) await rotate();
  }
}

/** logrotate's default. The application goes on in the old file until it is told to open the new one. */
async function renameRotation(app: Application): Promise<void> {
  const path = pathOf(app);
  let log = app.disk.open(path);
  let generation = 0;
  await writeAndRotate(
    app,
    0.15,
    () => log,
    async () => {
      generation += 1;
      app.disk.rename(path, `${path}.${generation}`);
      app.note(`${path} renamed to .${generation}`);
      for (let i = app.number(0, 3); i > 0; i -= 1) {
        await app.pause(1, 600);
        await app.write(log, app.number(1, 10));
      }
      log.close();
      log = app.disk.open(path);
    },
  );
  log.close();
}

/** .1 to .5, the oldest deleted. */
async function chain(app: Application): Promise<void> {
  const path = pathOf(app);
  let log = app.disk.open(path);
  await writeAndRotate(
    app,
    0.25,
    () => log,
    async () => {
      log.close();
      if (app.disk.has(`${path}.5`)) app.disk.remove(`${path}.5`);
      for (let n = 4; n >= 1; n -= 1) {
        if (!app.disk.has(`${path}.${n}`)) continue;
        app.disk.rename(`${path}.${n}`, `${path}.${n + 1}`);
        if (app.chance(0.2)) await app.pause(0, 5);
      }
      app.disk.rename(path, `${path}.1`);
      app.note(`${path} rotated to .1, and so on to .5`);
      if (app.chance(0.3)) await app.pause(0, 300);
      log = app.disk.open(path);
    },
  );
  log.close();
}

async function rapidRotation(app: Application): Promise<void> {
  const path = pathOf(app);
  for (let generation = 1; !app.over; generation += 1) {
    const log = app.disk.open(path);
    await app.write(log, app.number(1, 60));
    await app.pause(100, 250);
    log.close();
    app.disk.rename(path, `${path}.${generation}`);
    app.note(`${path} renamed to .${generation}`);
  }
}

/** Rotated, then compressed: the archive is no log, and the file goes away. */
async function gzipRotation(app: Application): Promise<void> {
  const path = pathOf(app);
  let log = app.disk.open(path);
  await writeAndRotate(
    app,
    0.2,
    () => log,
    async () => {
      log.close();
      if (app.disk.has(`${path}.1`)) app.disk.remove(`${path}.1`);
      app.disk.rename(path, `${path}.1`);
      log = app.disk.open(path);
      await app.pause(0, 3_000);
      app.disk.append(`${path}.1.gz`, 'not a line of anybody');
      app.disk.remove(`${path}.1`);
      app.note(`${path}.1 compressed`);
      await app.pause(0, 50);
      app.disk.remove(`${path}.1.gz`);
    },
  );
  log.close();
}

/** To a name that the globs do not match, where the application goes on for a while; sometimes back. */
async function renameOut(app: Application): Promise<void> {
  const path = pathOf(app);
  let log = app.disk.open(path);
  let generation = 0;
  await writeAndRotate(
    app,
    0.15,
    () => log,
    async () => {
      const to = `${path}.${(generation += 1)}.bak`;
      app.disk.rename(path, to);
      app.note(`${path} renamed to ${to}`);
      if (app.chance(0.5)) await app.write(log, app.number(1, 10));
      if (app.chance(0.2)) {
        await app.pause(0, 1_000);
        app.disk.rename(to, `${path}.${generation}`);
        app.note(`${to} renamed back into the globs`);
      }
      log.close();
      log = app.disk.open(path);
    },
  );
  log.close();
}

/** The number of the inode is used again at once. */
async function deleteAndRecreate(app: Application): Promise<void> {
  const path = pathOf(app);
  let log = app.disk.open(path);
  await writeAndRotate(
    app,
    0.15,
    () => log,
    async () => {
      log.close();
      app.disk.remove(path);
      app.note(`${path} deleted`);
      if (app.chance(0.5)) await app.pause(0, 800);
      log = app.disk.open(path);
    },
  );
  log.close();
}

/** Rotated into another file system, which is to copy and to delete. */
async function moveToOtherDevice(app: Application): Promise<void> {
  const path = pathOf(app);
  const archive = `/archive/${app.name}`;
  app.disk.makeDirectory(archive, 0xfe01);
  let log = app.disk.open(path);
  let generation = 0;
  await writeAndRotate(
    app,
    0.15,
    () => log,
    async () => {
      log.close();
      const { content } = app.disk.file(path);
      app.disk.append(`${archive}/${(generation += 1)}.log`, content.buffer.subarray(0, content.size));
      await app.pause(0, 20);
      app.disk.remove(path);
      app.note(`${path} moved to ${archive}`);
      log = app.disk.open(path);
    },
  );
  log.close();
}

async function hardLinks(app: Application): Promise<void> {
  const path = pathOf(app);
  const log = app.disk.open(path);
  let other = 0;
  await writeAndRotate(
    app,
    0.2,
    () => log,
    () => {
      app.disk.link(path, `${path}.link${(other += 1)}`);
      if (other > 1) app.disk.remove(`${path}.link${other - 1}`);
      app.note(`${path} has another name`);
    },
  );
  log.close();
}

/** The globs match a link, and its targets lie elsewhere. */
async function swappedLink(app: Application): Promise<void> {
  const path = pathOf(app);
  app.disk.makeDirectory('/data');
  let generation = 0;
  let log: WriteHandle | undefined;
  const swap = async (): Promise<void> => {
    const target = `/data/${app.name}.${(generation += 1)}`;
    log?.close();
    log = app.disk.open(target);
    await app.pause(0, 30);
    if (app.disk.has(path)) app.disk.remove(path);
    app.disk.symlink(target, path);
    app.note(`${path} leads to ${target}`);
    await app.pause(300, 800);
  };
  await swap();
  await writeAndRotate(app, 0.1, () => log!, swap);
  log?.close();
}

/** A directory that appears late, and changes its name. */
async function movingDirectory(app: Application): Promise<void> {
  await app.pause(0, 800);
  let generation = 1;
  const directory = (): string => `/logs/${app.name}-${generation}`;
  app.disk.makeDirectory(directory());
  const log = app.disk.open(`${directory()}/app.log`);
  await writeAndRotate(
    app,
    0.1,
    () => log,
    () => {
      const from = directory();
      generation += 1;
      app.disk.rename(from, directory());
      app.note(`${from} renamed to ${directory()}`);
    },
  );
  log.close();
}

/** Files that begin the same for longer than a fingerprint, some of which stay without a line of their own for a while. */
async function sameBeginning(app: Application): Promise<void> {
  const banner = Buffer.from('# the same banner in each file\n'.repeat(40));
  for (let n = 1; !app.over; n += 1) {
    const log = app.disk.open(`/logs/${app.name}-${n}.log`);
    log.write(banner.subarray(0, 31 * app.number(0, 40)));
    await app.pause(0, 300);
    await app.write(log, app.number(1, 20));
    log.close();
    await app.pause(50, 700);
  }
}

/** Empty, one byte, a line without its end: the smallest files. */
async function tinyFiles(app: Application): Promise<void> {
  for (let n = 1; !app.over; n += 1) {
    const log = app.disk.open(`/logs/${app.name}-${n}.log`);
    await app.pause(0, 400);
    const line = app.line();
    if (app.chance(0.8)) {
      log.write(line.subarray(0, 1));
      await app.pause(0, 700);
      log.write(line.subarray(1));
    }
    log.close();
    await app.pause(20, 500);
  }
}

/** Truncated after a copy was made, while the application goes on in the same file. */
async function copyTruncate(app: Application): Promise<void> {
  const path = pathOf(app);
  const log = app.disk.open(path);
  const quiet = app.chance(0.3);
  await writeAndRotate(
    app,
    0.15,
    () => log,
    async () => {
      if (quiet) await app.pause(500, 1_000);
      app.disk.truncate(path);
      app.note(`${path} truncated`);
    },
  );
  log.close();
}

/** A writer without O_APPEND goes on where it was, and leaves a hole of NULs behind a truncation. */
async function holes(app: Application): Promise<void> {
  const path = pathOf(app);
  const log = app.disk.open(path, { append: false });
  await writeAndRotate(
    app,
    0.1,
    () => log,
    () => {
      app.disk.truncate(path);
      app.note(`${path} truncated under a writer that goes on at ${log.file.content.size}`);
    },
  );
  log.close();
}

export const HABITS: Record<string, Habit> = {
  renameRotation,
  chain,
  rapidRotation,
  gzipRotation,
  renameOut,
  deleteAndRecreate,
  moveToOtherDevice,
  hardLinks,
  swappedLink,
  movingDirectory,
  sameBeginning,
  tinyFiles,
  copyTruncate,
  holes,
};

/** Bytes go away under a reader, whatever it does. */
export const TRUNCATING_HABITS = ['copyTruncate', 'holes'];
