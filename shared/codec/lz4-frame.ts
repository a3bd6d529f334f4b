import { xxh32 } from './xxh32.ts';

/**
 * The constants and the descriptor of the LZ4 frame format 1.6. Source: doc/lz4_Frame_format.md of lz4/lz4.
 *
 *   frame: magic u32 · FLG u8 · BD u8 · [content size u64] · [dictionary id u32] · HC u8
 *          blocks · end mark u32 (0) · [content XXH32 u32]
 *   block: size u32 (top bit set: stored) · data · [block XXH32 u32]
 *
 * Everything is little endian.
 */
export const LZ4_MAGIC = 0x184d2204;
export const LZ4_SKIPPABLE_MAGIC = 0x184d2a50;
export const LZ4_STORED = 0x80000000;
export const LZ4_WINDOW_BYTES = 65_536;

export const FLG_VERSION_1 = 0x40;
export const FLG_INDEPENDENT = 0x20;
export const FLG_BLOCK_CHECKSUM = 0x10;
export const FLG_CONTENT_SIZE = 0x08;
export const FLG_CONTENT_CHECKSUM = 0x04;
export const FLG_RESERVED = 0x02;
export const FLG_DICTIONARY = 0x01;

/** Block size ids 4 to 7 of the BD byte: 64 KiB, 256 KiB, 1 MiB, 4 MiB. */
export function lz4BlockBytes(id: number): number {
  return 1 << (2 * id + 8);
}

/** HC, the header checksum: the second byte of the XXH32 of the descriptor, which is frame[start, end). */
export function lz4HeaderChecksum(frame: Uint8Array, start: number, end: number): number {
  return (xxh32(frame, start, end) >>> 8) & 0xff;
}
