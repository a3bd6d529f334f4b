import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';

export interface StoredRecords {
  records: number;
  objects: number;
  objectBytes: number;
}

const run = promisify(execFile);

/** Counts what is stored below a folder with programs that know nothing of Skald: gzip, zstd and wc, or DuckDB. */
export async function countRecords(folder: string): Promise<StoredRecords> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const objectBytes = sizes.reduce((sum, size) => sum + size, 0);
  const isParquet = files.some((file) => file.endsWith('.parquet'));
  const records = await (isParquet ? countRows(folder) : countLines(folder));
  return { records, objects: files.length, objectBytes };
}

async function countLines(folder: string): Promise<number> {
  const unpacked = (ending: string, program: string): string =>
    `find "$1" -type f -name '*.${ending}' -exec ${program} -dcq {} +`;
  const plain = `find "$1" -type f -name '*.log' -exec cat {} +`;
  const script = `{ ${unpacked('gz', 'gzip')}; ${unpacked('zst', 'zstd')}; ${plain}; } | wc -l`;
  const { stdout } = await run('sh', ['-c', script, 'sh', folder]);
  return Number(stdout);
}

async function countRows(folder: string): Promise<number> {
  const database = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await database.connect();
  try {
    const from = `read_parquet('${folder}/**/*.parquet', hive_partitioning = false)`;
    const result = await connection.runAndReadAll(`SELECT count(*)::INTEGER FROM ${from}`);
    return Number(result.getRows()[0]![0]);
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}
