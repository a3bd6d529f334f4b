import type { TopicConfig } from '../../shared/config/topic-config.ts';

/**
 * All that the names and contents of objects depend on besides the records. An intent holds it, so its keys
 * are a format.
 */
export type Layout = Pick<
  TopicConfig,
  'prefix' | 'template' | 'bucket' | 'timeZone' | 'format' | 'codec' | 'level'
>;
