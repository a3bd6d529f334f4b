import { randomUUID } from 'node:crypto';

/** A name that no other test, past or running, has used: letters, digits and hyphens, fit for topics, groups and keys. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}
