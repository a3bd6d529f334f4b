import { z } from 'zod';
import { ENVELOPE_COLUMNS } from './envelope-columns.ts';
import { pattern, text, type DeepReadonly } from './fields.ts';
import { timeFormat, timeZoneName } from './time-config.ts';

const columnSchema = z
  .strictObject({
    name: pattern(
      'Name of the column.',
      /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
      'letters, digits and _, not beginning with a digit',
    ),
    type: pattern(
      'Type: `string`, `int32`, `int64`, `float`, `double`, `boolean`, `timestamp` (microseconds, UTC), `date` ' +
        '(`YYYY-MM-DD`), or `decimal(p,s)` of up to 18 digits.',
      /^(string|int32|int64|float|double|boolean|timestamp|date|decimal\(([1-9]|1[0-8]),([0-9]|1[0-8])\))$/,
      'one of string, int32, int64, float, double, boolean, timestamp, date, decimal(p,s) with p of at most 18',
    ),
    field: text('Field of the JSON value: `a.b` is field `b` of the object in field `a`.')
      .optional()
      .meta({ defaultText: 'the name of the column' }),
    format: timeFormat.optional().meta({ defaultText: '`iso`; only with `timestamp`' }),
    timeZone: timeZoneName.optional().meta({
      description: 'Time zone of times that say none. Only with `timestamp`.',
      defaultText: '`UTC`',
    }),
  })
  .superRefine((column, context) => {
    const [, precision, scale] = /^decimal\((\d+),(\d+)\)$/.exec(column.type) ?? [];
    if (precision !== undefined && Number(scale) > Number(precision))
      context.addIssue({
        code: 'custom',
        path: ['type'],
        message: 'has more digits behind the point than digits',
      });
    if (column.type === 'timestamp') return;
    for (const key of ['format', 'timeZone'] as const) {
      if (column[key] === undefined) continue;
      context.addIssue({ code: 'custom', path: [key], message: 'is only for columns of type timestamp' });
    }
  });

/** Columns of Parquet objects that are picked from values that are JSON. */
export const columnsSchema = z
  .array(columnSchema)
  .superRefine((columns, context) => {
    const names = new Set<string>(ENVELOPE_COLUMNS);
    for (const [index, { name }] of columns.entries()) {
      const lower = name.toLowerCase();
      const message = 'is the name of another column; queries do not tell upper from lower case';
      if (names.has(lower)) context.addIssue({ code: 'custom', path: [index, 'name'], message });
      names.add(lower);
    }
  })
  .meta({ description: 'Columns of Parquet objects that are picked from values that are JSON.' });

export type ColumnConfig = DeepReadonly<z.output<typeof columnSchema>>;
