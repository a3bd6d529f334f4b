import { compress, decompress } from '@mongodb-js/zstd/bindings.js';
import kafkajs from 'kafkajs';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { compressSync, uncompressSync } from 'snappy';

interface Encoder {
  buffer: Buffer;
}

/** kafkajs brings gzip only. These come from libraries, not from Skald: here kafkajs is a witness. */
export function installKafkajsCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: ({ buffer }: Encoder) => Promise.resolve(compressFrameSync(buffer)),
    decompress: (bytes: Buffer) => Promise.resolve(decompressFrameSync(bytes)),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: Encoder) => compress(buffer, 3),
    decompress: (bytes: Buffer) => decompress(bytes),
  });
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: ({ buffer }: Encoder) => Promise.resolve(compressSync(buffer)),
    decompress: (bytes: Buffer) => Promise.resolve(uncompressSync(bytes)),
  });
}
