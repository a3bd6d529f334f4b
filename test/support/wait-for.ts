/** Tests wait by the same bounded poll as the stack itself. */
export { waitFor } from '../../scripts/stack/wait-for.ts';
export type { WaitForOptions } from '../../scripts/stack/wait-for.ts';
