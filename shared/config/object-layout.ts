/** The names of objects: what a template may hold, and what makes it unambiguous. */

/** How much time one object covers. */
export type TimeBucket = 'minute' | 'hour' | 'day';

/**
 * What a template may hold between braces. `yyyy mm dd hh mi` are the start of the time bucket in the layout's time
 * zone, padded with zeros; `ext` is the extension of format and codec, such as `log.zst`.
 */
export const TEMPLATE_FIELDS = [
  'prefix',
  'topic',
  'partition',
  'firstOffset',
  'yyyy',
  'mm',
  'dd',
  'hh',
  'mi',
  'ext',
] as const;

export type TemplateField = (typeof TEMPLATE_FIELDS)[number];

const TIME_FIELDS: Readonly<Record<TimeBucket, readonly TemplateField[]>> = {
  day: ['yyyy', 'mm', 'dd'],
  hour: ['yyyy', 'mm', 'dd', 'hh'],
  minute: ['yyyy', 'mm', 'dd', 'hh', 'mi'],
};

/** Fields whose values have no fixed length: two of them side by side cannot be told apart. */
const VARIABLE_FIELDS: ReadonlySet<string> = new Set(['prefix', 'topic', 'partition', 'firstOffset', 'ext']);

type TemplatePart = { readonly literal: string } | { readonly field: string };

/** A template as its parts, in order: text to copy, and names of fields (which may be unknown ones). */
export function templateParts(template: string): TemplatePart[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .map((part) => (/^\{[^{}]*\}$/.test(part) ? { field: part.slice(1, -1) } : { literal: part }));
}

/**
 * Everything that is wrong with a template for buckets of this length, in words; empty when it is good. Two chunks must
 * never get one name: it has to hold topic, partition, first offset and the time down to the bucket.
 */
export function templateProblems(template: string, bucket: TimeBucket): string[] {
  const parts = templateParts(template);
  const fields = parts.flatMap((part) => ('field' in part ? [part.field] : []));
  const unknown = fields.filter((field) => !(TEMPLATE_FIELDS as readonly string[]).includes(field));
  const required: TemplateField[] = ['topic', 'partition', 'firstOffset', ...TIME_FIELDS[bucket]];
  const missing = required.filter((field) => !fields.includes(field));
  return [
    ...unknown.map(
      (field) => `{${field}} is not a field; there are ${TEMPLATE_FIELDS.map(braced).join(' ')}`,
    ),
    ...(missing.length === 0
      ? []
      : [
          `lacks ${missing.map(braced).join(' ')}, without which two objects of a ${bucket} could get one name`,
        ]),
    ...parts.flatMap((part, index) => adjacencyProblem(part, parts[index - 1])),
    ...pathProblems(parts),
  ];
}

/** What a template puts before the last slash: the folder of an object; empty when there is none. */
export function folderTemplate(template: string): string {
  return template.slice(0, template.lastIndexOf('/') + 1);
}

/**
 * Why the objects of one topic and one bucket are not all that is in one folder; undefined when they are. Only then the
 * folder can be finished.
 */
export function bucketFolderProblem(template: string, bucket: TimeBucket): string | undefined {
  const fields = templateParts(folderTemplate(template)).flatMap((part) =>
    'field' in part ? [part.field] : [],
  );
  const missing = ['topic', ...TIME_FIELDS[bucket]].filter((field) => !fields.includes(field));
  const foreign = ['partition', 'firstOffset', 'ext'].filter((field) => fields.includes(field));
  if (missing.length > 0) return `${missing.map(braced).join(' ')} must be before the last / of the template`;
  if (foreign.length > 0) return `${foreign.map(braced).join(' ')} must be behind the last / of the template`;
  return undefined;
}

/** `a{partition}{firstOffset}` would give partition 1, offset 23 and partition 12, offset 3 one name. */
function adjacencyProblem(part: TemplatePart, before: TemplatePart | undefined): string[] {
  if (!('field' in part) || before === undefined) return [];
  if (!VARIABLE_FIELDS.has(part.field) && !('field' in before && VARIABLE_FIELDS.has(before.field)))
    return [];
  if ('field' in before)
    return [`${braced(before.field)}${braced(part.field)} needs text between the two, such as - or /`];
  return /^\d*$/.test(before.literal.slice(-1)) &&
    (part.field === 'partition' || part.field === 'firstOffset')
    ? [`${braced(part.field)} must not follow a digit`]
    : [];
}

function pathProblems(parts: readonly TemplatePart[]): string[] {
  const shown = parts.map((part) => ('field' in part ? 'x' : part.literal)).join('');
  const problems: string[] = [];
  if (/[{}]/.test(shown)) problems.push('has a brace that does not pair');
  if (/^\/|\/\/|\/$/.test(shown)) problems.push('must not begin or end with / nor hold //');
  if (/(^|\/)\.{1,2}(\/|$)/.test(shown)) problems.push('must not hold . or .. as a folder');
  if (/(^|\/)[._][^/]*$/.test(shown))
    problems.push('must not begin with . or _ behind the last /: query engines pass over such objects');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(shown)) problems.push('must not hold control characters or backslashes');
  return problems;
}

function braced(field: string): string {
  return `{${field}}`;
}
