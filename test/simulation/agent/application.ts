/** What applications of all habits have in common: numbered lines, written in pieces, at their own pace. */
import type { Random } from '../../../shared/clock.ts';
import { between } from '../support/random.ts';
import type { SimClock } from '../support/sim-clock.ts';
import type { SimDisk, WriteHandle } from '../support/sim-disk.ts';

export interface Application {
  readonly name: string;
  readonly disk: SimDisk;
  readonly random: Random;
  /** True when it has written for long enough: it finishes what it has begun. */
  readonly over: boolean;
  /** Waits between `fromMs` and `toMs`, times the pace of the world. */
  pause(fromMs: number, toMs: number): Promise<void>;
  chance(share: number): boolean;
  number(from: number, to: number): number;
  /** The next line with its newline: no other line of the world is the same, unless it is short of a number. */
  line(): Buffer;
  /** Writes lines; the last one sometimes in two pieces with a pause between them. */
  write(to: WriteHandle, lines: number): Promise<void>;
  note(what: string): void;
}

export interface ApplicationOptions {
  name: string;
  disk: SimDisk;
  clock: SimClock;
  random: Random;
  pace: number;
  oddLines: boolean;
  isOver: () => boolean;
  note: (what: string) => void;
}

/** Lengths around the bound of a record (600 bytes), and far beyond it. */
const LONG_LINES = [599, 600, 601, 1199, 1201, 3_000];

export function application(options: ApplicationOptions): Application {
  const { name, disk, clock, random, note } = options;
  let written = 0;

  const filler = (): Buffer => {
    if (!options.oddLines || random() > 0.08) return Buffer.alloc(between(random, 0, 60), 'x');
    const kind = between(random, 0, 3);
    if (kind === 0)
      return Buffer.alloc(LONG_LINES[between(random, 0, LONG_LINES.length - 1)]! - 8, `${name}.${written}|`);
    if (kind === 1) return Buffer.alloc(between(random, 1, 40)); // NULs
    if (kind === 2) return Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x0d]);
    return Buffer.from('with a carriage return\r');
  };
  const line = (): Buffer => {
    written += 1;
    return Buffer.concat([Buffer.from(`${name}.${written} `), filler(), Buffer.from('\n')]);
  };
  const app: Application = {
    name,
    disk,
    random,
    note,
    get over() {
      return options.isOver();
    },
    pause: (fromMs, toMs) => clock.after(between(random, fromMs, toMs) * options.pace),
    chance: (share) => random() < share,
    number: (from, to) => between(random, from, to),
    line,
    write: async (to, lines) => {
      const bytes = Buffer.concat(Array.from({ length: lines }, line));
      const inPieces = random() < 0.3 && bytes.length > 1;
      const cut = inPieces ? between(random, Math.max(1, bytes.length - 30), bytes.length - 1) : bytes.length;
      to.write(bytes.subarray(0, cut));
      if (cut === bytes.length) return;
      await app.pause(1, random() < 0.1 ? 1_500 : 100);
      to.write(bytes.subarray(cut));
    },
  };
  return app;
}
