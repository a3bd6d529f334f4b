/**
 * Test files that run at the same time take free ports from ranges of their own, and so does what they start: the port
 * of a broker that one of them has killed is not taken by the other.
 */
const FIRST_PORT = 20_000;
const PORTS = 2_000;

/** From 1 to the number of workers; https://vitest.dev/guide/parallelism */
const worker = Number(process.env['VITEST_POOL_ID']);
const first = FIRST_PORT + (worker - 1) * PORTS;
process.env['SKALD_FREE_PORTS'] = `${first}-${first + PORTS - 1}`;
