import type { ColumnChunk, RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { ColumnConfig } from '../../shared/config/column-config.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { parquetSchema } from './parquet-schema.ts';

const MAGIC = Buffer.from('PAR1');

/** In the form that readers look for before they trust statistics. */
const CREATED_BY = 'skald version 1';

/**
 * A Parquet file of row groups, as the pieces to write one after the other: the magic, the groups as they are,
 * and the footer with their places (github.com/apache/parquet-format). A function of the groups only.
 */
export function parquetFile(
  frames: readonly Pick<DecodedFrame, 'bytes' | 'rowGroup'>[],
  columns: readonly ColumnConfig[],
): Uint8Array[] {
  const rowGroups: RowGroup[] = [];
  let at = MAGIC.length;
  for (const { bytes, rowGroup } of frames) {
    if (rowGroup === undefined) throw new TypeError('a frame of another format in a Parquet file');
    rowGroups.push(movedBy(rowGroup, at));
    at += bytes.length;
  }
  const footer = new ByteWriter();
  writeMetadata(footer, {
    version: 2,
    created_by: CREATED_BY,
    schema: parquetSchema(columns),
    num_rows: rowGroups.reduce((sum, group) => sum + group.num_rows, 0n),
    row_groups: rowGroups,
    metadata_length: 0, // of readers; the writer measures it
  });
  return [MAGIC, ...frames.map(({ bytes }) => bytes), footer.getBytes(), MAGIC];
}

function movedBy(group: RowGroup, offset: number): RowGroup {
  const moved = (chunk: ColumnChunk): ColumnChunk => {
    const { meta_data } = chunk;
    if (meta_data === undefined) return chunk;
    const data_page_offset = meta_data.data_page_offset + BigInt(offset);
    return { ...chunk, meta_data: { ...meta_data, data_page_offset } };
  };
  return { ...group, columns: group.columns.map(moved), file_offset: BigInt(offset) };
}
