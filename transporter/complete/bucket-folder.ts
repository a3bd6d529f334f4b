import { folderTemplate, templateParts } from '../../shared/config/object-layout.ts';
import type { Layout } from '../chunk/layout.ts';
import { objectName } from '../chunk/object-name.ts';

type FolderLayout = Pick<Layout, 'prefix' | 'template'>;

/** The folder of a topic's bucket, with a slash at its end. Of a template that gives each bucket one. */
export function bucketFolder(layout: Layout, topic: string, bucketLabel: string): string {
  const folder = { ...layout, template: folderTemplate(layout.template) };
  return objectName(folder, { topic, bucketLabel, partition: 0, firstOffset: 0 });
}

/** Level by level where the folders of a topic's buckets are. */
export interface BucketFolderLevels {
  /** What all of them are below, with a slash at its end. */
  root: string;
  /** One for each level below, which a name there has to match; its groups are fields of the label. */
  levels: RegExp[];
}

/** Of the fields of time in a template. */
const DIGITS: Readonly<Record<string, number>> = { yyyy: 4, mm: 2, dd: 2, hh: 2, mi: 2 };

export function bucketFolderLevels({ prefix, template }: FolderLayout, topic: string): BucketFolderLevels {
  const seen = new Set<string>();
  const expressionOf = (level: string): string =>
    templateParts(level)
      .map((part) => {
        if ('literal' in part) return part.literal.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
        if (seen.has(part.field)) return String.raw`\d+`;
        seen.add(part.field);
        return String.raw`(?<${part.field}>\d{${DIGITS[part.field]}})`;
      })
      .join('');
  const names = folderTemplate(template)
    .replaceAll('{prefix}', () => prefix)
    .replaceAll('{topic}', () => topic)
    .split('/')
    .slice(0, -1);
  const firstOfTime = names.findIndex((name) => name.includes('{'));
  return {
    root: names
      .slice(0, firstOfTime)
      .map((name) => `${name}/`)
      .join(''),
    levels: names.slice(firstOfTime).map((name) => new RegExp(`^${expressionOf(name)}$`)),
  };
}

/** The label of a bucket from the fields in the names of its folder. */
export function labelOf({ yyyy, mm, dd, hh = '00', mi = '00' }: Readonly<Record<string, string>>): string {
  return `${yyyy}-${mm}-${dd}T${hh}:${mi}`;
}
