import type { ColumnChunk, CompressionCodec, RowGroup } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { joinOwned } from '../../shared/codec/views.ts';
import type { CodecName } from '../../shared/config/codec-fields.ts';
import type { ColumnPage, FinishedColumn } from './parquet-column.ts';
import type { FinishedBucket } from './record-format.ts';

/** What the footer of a file says of a row group, with offsets from the group's own start. */
export type RowGroupFacts = RowGroup;

const PARQUET_CODEC: Readonly<Record<Exclude<CodecName, 'lz4'>, CompressionCodec>> = {
  zstd: 'ZSTD',
  gzip: 'GZIP',
  none: 'UNCOMPRESSED',
};

/**
 * Pages behind their headers, column after column. A row group knows nothing of the file that it will be in,
 * so those of several jobs become one file by way of its footer alone.
 */
export function rowGroupOf(columns: readonly FinishedColumn[], codec: CodecName): FinishedBucket {
  if (codec === 'lz4') throw new TypeError('no configuration has lz4 in Parquet');
  const chunks: ColumnChunk[] = [];
  const pieces: Uint8Array[] = [];
  let at = 0;
  let plainBytes = 0;
  for (const { element, pages, nulls, min, max } of columns) {
    const start = at;
    let plainSize = 0;
    for (const page of pages) {
      const header = headerOf(page);
      pieces.push(header, page.bytes);
      at += header.length + page.bytes.length;
      plainSize += header.length + page.plainBytes;
    }
    chunks.push({
      file_offset: 0n, // the standard's field of old, which nobody may use
      meta_data: {
        type: element.type!,
        encodings: ['PLAIN', 'RLE'],
        path_in_schema: [element.name],
        codec: PARQUET_CODEC[codec],
        num_values: BigInt(rowsOf(pages)),
        total_uncompressed_size: BigInt(plainSize),
        total_compressed_size: BigInt(at - start),
        data_page_offset: BigInt(start),
        statistics: {
          null_count: BigInt(nulls),
          ...(min !== undefined && max !== undefined && { min_value: min, max_value: max }),
        },
      },
    });
    plainBytes += plainSize;
  }
  const rowGroup = {
    columns: chunks,
    total_byte_size: BigInt(plainBytes),
    num_rows: BigInt(rowsOf(columns[0]?.pages ?? [])),
    total_compressed_size: BigInt(at),
  };
  return { bytes: joinOwned(pieces), textBytes: plainBytes, rowGroup };
}

function rowsOf(pages: readonly ColumnPage[]): number {
  return pages.reduce((sum, { rows }) => sum + rows, 0);
}

function headerOf({ rows, bytes, plainBytes }: ColumnPage): Uint8Array {
  const writer = new ByteWriter(64);
  writePageHeader(writer, {
    type: 'DATA_PAGE',
    uncompressed_page_size: plainBytes,
    compressed_page_size: bytes.length,
    data_page_header: {
      num_values: rows,
      encoding: 'PLAIN',
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    },
  });
  return writer.getBytes();
}
