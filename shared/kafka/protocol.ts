/**
 * Primitive types of the Kafka protocol, big endian. Most request versions that Skald sends predate tagged fields; those
 * that do not, because they name topics by id, use the compact types of KIP-482.
 * Source: https://kafka.apache.org/protocol#protocol_types
 */
import { SkaldError } from '../errors.ts';

/** One API call: how to write the request and how to read the answer. Pure: sending is the connection's work. */
export interface KafkaRequest<T> {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  /** How long the broker may hold the answer by design (long polls, joins), on top of the client's request time-out. */
  readonly holdMs?: number;
  /** Longest wait for the answer of all, in place of the client's request time-out. */
  readonly timeoutMs?: number;
  encode(writer: ProtocolWriter): void;
  decode(reader: ProtocolReader): T;
  /** The same in a newer version, which is sent to brokers that say that they know it. */
  readonly newer?: KafkaRequest<T> | undefined;
  /** How long the answer asks not to send anything over this connection (KIP-219), for answers that may ask that. */
  throttleMs?(answer: T): number;
}

/** Collects a request. Small fields share one growing buffer; large byte fields are kept by reference. */
export class ProtocolWriter {
  private readonly chunks: Uint8Array[] = [];
  private small = Buffer.allocUnsafe(256);
  private used = 0;

  /** Makes room and returns where it begins. Call it first: it may replace `small`. */
  private reserve(size: number): number {
    if (this.used + size > this.small.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.small.length * 2, this.used + size));
      this.small.copy(grown, 0, 0, this.used);
      this.small = grown;
    }
    const at = this.used;
    this.used += size;
    return at;
  }

  int8(value: number): this {
    const at = this.reserve(1);
    this.small.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.reserve(2);
    this.small.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.reserve(4);
    this.small.writeInt32BE(value, at);
    return this;
  }

  /** An INT64 that holds an offset or a timestamp: exact up to 2^53. */
  int64(value: number): this {
    const at = this.reserve(8);
    this.small.writeBigInt64BE(BigInt(value), at);
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  string(value: string): this {
    const size = Buffer.byteLength(value);
    this.int16(size);
    const at = this.reserve(size);
    this.small.write(value, at, 'utf8');
    return this;
  }

  nullableString(value: string | undefined): this {
    return value === undefined ? this.int16(-1) : this.string(value);
  }

  /** BYTES: by reference, so the caller must not change `value` before the request is sent. */
  bytes(value: Uint8Array): this {
    this.int32(value.length);
    this.chunks.push(this.small.subarray(0, this.used), value);
    this.small = Buffer.allocUnsafe(256);
    this.used = 0;
    return this;
  }

  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length);
    for (const value of values) write(value);
    return this;
  }

  /** UNSIGNED_VARINT of a small number: 7 bits to a byte, the lowest first. */
  unsignedVarint(value: number): this {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.int8((rest % 0x80) - 0x80);
    return this.int8(rest);
  }

  /** COMPACT_STRING */
  compactString(value: string): this {
    const size = Buffer.byteLength(value);
    this.unsignedVarint(size + 1);
    const at = this.reserve(size);
    this.small.write(value, at, 'utf8');
    return this;
  }

  /** COMPACT_ARRAY */
  compactArray<T>(values: readonly T[], write: (value: T) => void): this {
    this.unsignedVarint(values.length + 1);
    for (const value of values) write(value);
    return this;
  }

  /** UUID as Kafka shows it: base64url without padding; undefined is the id of nothing. */
  uuid(value: string | undefined): this {
    const at = this.reserve(UUID_BYTES);
    this.small.fill(0, at, at + UUID_BYTES);
    if (value !== undefined) this.small.write(value, at, UUID_BYTES, 'base64url');
    return this;
  }

  /** TAG_BUFFER without tags. */
  noTags(): this {
    return this.int8(0);
  }

  /** The request in pieces, in order. */
  pieces(): Uint8Array[] {
    return [...this.chunks, this.small.subarray(0, this.used)];
  }

  finish(): Buffer {
    return Buffer.concat(this.pieces());
  }
}

const UUID_BYTES = 16;

/** Reads an answer. Every read is checked against the end: a short or hostile answer is KAFKA_PROTOCOL, never a crash. */
export class ProtocolReader {
  private at = 0;
  private readonly buffer: Buffer;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  private take(size: number, what: string): number {
    const at = this.at;
    if (size < 0 || at + size > this.buffer.length) {
      throw new SkaldError(
        'KAFKA_PROTOCOL',
        `The broker's answer ends early: ${what} of ${size} bytes at byte ${at} of ${this.buffer.length}.`,
      );
    }
    this.at = at + size;
    return at;
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1, 'an INT8'));
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2, 'an INT16'));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4, 'an INT32'));
  }

  /** An INT64 as a number; offsets and timestamps stay far below 2^53, anything above is refused. */
  int64(): number {
    const at = this.take(8, 'an INT64');
    const value = Number(this.buffer.readBigInt64BE(at));
    if (!Number.isSafeInteger(value)) {
      throw new SkaldError('KAFKA_PROTOCOL', `The broker's answer holds an INT64 beyond 2^53 at byte ${at}.`);
    }
    return value;
  }

  bigint64(): bigint {
    return this.buffer.readBigInt64BE(this.take(8, 'an INT64'));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  nullableString(): string | undefined {
    const size = this.int16();
    if (size === -1) return undefined;
    const at = this.take(size, 'a STRING');
    return this.buffer.toString('utf8', at, at + size);
  }

  string(): string {
    return this.nullableString() ?? '';
  }

  /** BYTES as a view of the answer's buffer (not a copy); null reads as empty. */
  bytes(): Buffer {
    const size = this.int32();
    if (size === -1) return this.buffer.subarray(this.at, this.at);
    const at = this.take(size, 'BYTES');
    return this.buffer.subarray(at, at + size);
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer.readUInt8(this.take(1, 'an UNSIGNED_VARINT'));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new SkaldError(
      'KAFKA_PROTOCOL',
      `The broker's answer has a number without an end at byte ${this.at}.`,
    );
  }

  /** COMPACT_STRING and COMPACT_NULLABLE_STRING */
  compactString(): string | undefined {
    const size = this.unsignedVarint() - 1;
    if (size === -1) return undefined;
    const at = this.take(size, 'a COMPACT_STRING');
    return this.buffer.toString('utf8', at, at + size);
  }

  /** COMPACT_BYTES as a view, as `bytes`. */
  compactBytes(): Buffer {
    const size = this.unsignedVarint() - 1;
    if (size === -1) return this.buffer.subarray(this.at, this.at);
    const at = this.take(size, 'COMPACT_BYTES');
    return this.buffer.subarray(at, at + size);
  }

  compactArray<T>(read: () => T): T[] {
    return this.elements(this.unsignedVarint() - 1, read);
  }

  /** As Kafka shows it: base64url without padding; undefined when all of its bytes are 0. */
  uuid(): string | undefined {
    const at = this.take(UUID_BYTES, 'a UUID');
    const bytes = this.buffer.subarray(at, at + UUID_BYTES);
    return bytes.every((byte) => byte === 0) ? undefined : bytes.toString('base64url');
  }

  /** A TAG_BUFFER. What is tagged is optional: `read` is called for each field, and what it leaves is passed over. */
  tags(read: (tag: number) => void = () => {}): void {
    for (let left = this.unsignedVarint(); left > 0; left -= 1) {
      const tag = this.unsignedVarint();
      const size = this.unsignedVarint();
      const start = this.take(size, 'a tagged field');
      this.at = start;
      read(tag);
      this.at = start + size;
    }
  }

  array<T>(read: () => T): T[] {
    return this.elements(this.int32(), read);
  }

  private elements<T>(count: number, read: () => T): T[] {
    if (count === -1) return [];
    // Each element takes at least one byte, so a hostile count cannot make us allocate more than the answer's size.
    if (count < 0 || count > this.buffer.length - this.at) {
      throw new SkaldError(
        'KAFKA_PROTOCOL',
        `The broker's answer has an array of ${count} at byte ${this.at - 4}.`,
      );
    }
    const values: T[] = [];
    for (let i = 0; i < count; i += 1) values.push(read());
    return values;
  }
}
