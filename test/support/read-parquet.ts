import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { tempDir } from './temp-dir.ts';

/** Rows as DuckDB, which shares no code with Skald, shows them in JSON: numbers of 64 bits as text. */
export async function queryParquet(
  file: Uint8Array,
  query: (from: string) => string,
): Promise<Record<string, unknown>[]> {
  const path = join(await tempDir(), 'object.parquet');
  await writeFile(path, file);
  const database = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await database.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const result = await connection.runAndReadAll(query(`'${path}'`));
    return result.getRowObjectsJson();
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}
