const ONE = process.env['SKALD_SEED'];
const MANY = process.env['SKALD_SEEDS'];

/**
 * Which seeds a test runs. SKALD_SEED=n replays one; SKALD_SEEDS=100000 runs so many of each kind instead of the usual
 * number, for a night or a change that touches much.
 */
export function seedsToRun(usual: number): number[] {
  if (ONE !== undefined) return [Number(ONE)];
  return Array.from({ length: MANY === undefined ? usual : Number(MANY) }, (_, i) => i + 1);
}
