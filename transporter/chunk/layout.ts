import type { IntentLayout } from '../../shared/config/intent-layout.ts';

/** All that the names and contents of objects depend on besides the records. An intent holds it. */
export type Layout = IntentLayout;
