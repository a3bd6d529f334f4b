const M = 0x5bd1e995;
const SEED = 0x9747b28c;

/**
 * The hash by which Kafka's producers place a key: 32 bits, signed.
 * Source: org.apache.kafka.common.utils.Utils.murmur2.
 */
export function murmur2(key: Uint8Array): number {
  const { length } = key;
  const whole = length & ~3;
  let h = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let k = key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const left = length - whole;
  if (left === 3) h ^= key[whole + 2]! << 16;
  if (left >= 2) h ^= key[whole + 1]! << 8;
  if (left >= 1) h = Math.imul(h ^ key[whole]!, M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}

/**
 * The partition of a record with this key where there are `partitions` of them, as Java's producer chooses it: records
 * of other programs with the same key lie in the same partition.
 * Source: org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey.
 */
export function partitionForKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
