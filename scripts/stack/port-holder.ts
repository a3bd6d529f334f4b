import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** proc_net_tcp(5): the state of a socket that listens. */
const LISTEN = '0A';

/**
 * Who listens on a TCP port of this machine, as "name (process 123)". Undefined when that cannot be told: no /proc, or
 * a process of another user.
 */
export function portHolder(port: number): string | undefined {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningInodes(table, port)),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of entries('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const holdsIt = entries(`/proc/${pid}/fd`).some((fd) => inodes.has(linkTarget(`/proc/${pid}/fd/${fd}`)));
    if (holdsIt) return `${read(`/proc/${pid}/comm`).trim()} (process ${pid})`;
  }
  return undefined;
}

/** Columns: sl, local address as hex address:port, remote address, state, …, the inode as the tenth. */
function listeningInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return read(table)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${hexPort}`) && columns[3] === LISTEN)
    .map((columns) => `socket:[${columns[9]}]`);
}

/** Processes come and go while they are looked at: what cannot be read is not there. */
function quietly<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const read = (path: string): string => quietly(() => readFileSync(path, 'utf8'), '');
const entries = (path: string): string[] => quietly(() => readdirSync(path), []);
const linkTarget = (path: string): string => quietly(() => readlinkSync(path), '');
