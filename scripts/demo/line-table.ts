import { UsageError } from './demo-error.ts';
import { word } from './line-checksum.ts';

/** Whose line it was, and whether it came once more than it should. */
export interface Taken {
  owner: number;
  isExtra: boolean;
}

/** Which lines are expected, how often, and whose they are. */
export interface LineTable {
  /** Expects one more line with this digest. @throws UsageError when there are more different lines than it holds */
  add(digest: string, owner: number): void;
  /** A line came. Where several owners expect it, the one with the lowest number gets it. Undefined for a foreign one. */
  take(digest: string): Taken | undefined;
  /** How many of these are still expected. */
  remaining(digest: string, owner: number): number;
}

const FIRST_SLOTS = 2 ** 16;
/** 1 GiB of memory, outside of the heap of JavaScript. */
const MOST_SLOTS = 2 ** 26;
const FULL = 0.7;

interface Slots {
  keyHigh: Uint32Array;
  keyLow: Uint32Array;
  /** Owner + 1; 0 in an empty slot. */
  owner: Uint32Array;
  remaining: Uint32Array;
}

/**
 * A hash table with open addressing in typed arrays: 23 to 46 bytes for each different line, where a Map would take over
 * a hundred. A line is known by the first 64 bits of its SHA-256: of ten million lines two are alike by chance once in
 * 370,000 runs, and then the checksum of 128 bits still tells them apart.
 */
export function createLineTable(maxSlots = MOST_SLOTS): LineTable {
  let slots = createSlots(Math.min(FIRST_SLOTS, maxSlots));
  let used = 0;

  const grow = (): void => {
    const count = slots.owner.length * 2;
    if (count > maxSlots) {
      const limit = Math.floor(maxSlots * FULL);
      throw new UsageError(
        `these files have more than ${limit} different lines, the most that this demo can check`,
      );
    }
    const old = slots;
    slots = createSlots(count);
    for (let index = 0; index < old.owner.length; index++) {
      if (old.owner[index] !== 0) copySlot(old, index, slots);
    }
  };

  return {
    add(digest, owner) {
      const high = word(digest, 0);
      const low = word(digest, 4);
      let slot = firstSlot(slots, high);
      while (slots.owner[slot] !== 0 && !(hasKey(slots, slot, high, low) && slots.owner[slot] === owner + 1))
        slot = nextSlot(slots, slot);
      slots.remaining[slot]! += 1;
      if (slots.owner[slot] !== 0) return;
      fillSlot(slots, slot, { high, low, owner: owner + 1 });
      if (++used > slots.owner.length * FULL) grow();
    },
    take(digest) {
      const high = word(digest, 0);
      const low = word(digest, 4);
      let lowestOwner: number | undefined;
      let best: number | undefined;
      for (let slot = firstSlot(slots, high); slots.owner[slot] !== 0; slot = nextSlot(slots, slot)) {
        if (!hasKey(slots, slot, high, low)) continue;
        const owner = slots.owner[slot]! - 1;
        lowestOwner = Math.min(lowestOwner ?? owner, owner);
        const isBetter = best === undefined || owner < slots.owner[best]! - 1;
        if (slots.remaining[slot]! > 0 && isBetter) best = slot;
      }
      if (lowestOwner === undefined) return undefined;
      if (best === undefined) return { owner: lowestOwner, isExtra: true };
      slots.remaining[best]! -= 1;
      return { owner: slots.owner[best]! - 1, isExtra: false };
    },
    remaining(digest, owner) {
      const high = word(digest, 0);
      const low = word(digest, 4);
      for (let slot = firstSlot(slots, high); slots.owner[slot] !== 0; slot = nextSlot(slots, slot)) {
        if (hasKey(slots, slot, high, low) && slots.owner[slot] === owner + 1) return slots.remaining[slot]!;
      }
      return 0;
    },
  };
}

function createSlots(count: number): Slots {
  return {
    keyHigh: new Uint32Array(count),
    keyLow: new Uint32Array(count),
    owner: new Uint32Array(count),
    remaining: new Uint32Array(count),
  };
}

function firstSlot({ owner }: Slots, keyHigh: number): number {
  return keyHigh % owner.length;
}

function nextSlot({ owner }: Slots, slot: number): number {
  return slot + 1 === owner.length ? 0 : slot + 1;
}

function hasKey({ keyHigh, keyLow }: Slots, slot: number, high: number, low: number): boolean {
  return keyHigh[slot] === high && keyLow[slot] === low;
}

function fillSlot(slots: Slots, slot: number, entry: { high: number; low: number; owner: number }): void {
  slots.keyHigh[slot] = entry.high;
  slots.keyLow[slot] = entry.low;
  slots.owner[slot] = entry.owner;
}

function copySlot(from: Slots, index: number, to: Slots): void {
  const high = from.keyHigh[index]!;
  let slot = firstSlot(to, high);
  while (to.owner[slot] !== 0) slot = nextSlot(to, slot);
  fillSlot(to, slot, { high, low: from.keyLow[index]!, owner: from.owner[index]! });
  to.remaining[slot] = from.remaining[index]!;
}
