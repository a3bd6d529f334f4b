import { describe, expect, it } from 'vitest';
import { bucketCalendar } from '../../../../transporter/complete/bucket-calendar.ts';

const span = (label: string, start: string, end: string) => ({
  label,
  startMs: Date.parse(start),
  endMs: Date.parse(end),
});

describe('the whole of a time bucket', () => {
  it.each([
    ['hour', 'UTC', '2026-07-31T11:00', '2026-07-31T11:00Z', '2026-07-31T12:00Z'],
    ['minute', 'UTC', '2026-07-31T11:59', '2026-07-31T11:59Z', '2026-07-31T12:00Z'],
    ['day', 'Asia/Kathmandu', '2026-07-31T00:00', '2026-07-31T00:00+05:45', '2026-08-01T00:00+05:45'],
    // Clocks of Berlin go back from 3:00 to 2:00 on October 25 and forward from 2:00 to 3:00 on March 29, 2026.
    ['day', 'Europe/Berlin', '2026-10-25T00:00', '2026-10-25T00:00+02:00', '2026-10-26T00:00+01:00'],
    ['day', 'Europe/Berlin', '2026-03-29T00:00', '2026-03-29T00:00+01:00', '2026-03-30T00:00+02:00'],
    ['hour', 'Europe/Berlin', '2026-10-25T02:00', '2026-10-25T02:00+02:00', '2026-10-25T03:00+01:00'],
    ['hour', 'Europe/Berlin', '2026-10-25T03:00', '2026-10-25T03:00+01:00', '2026-10-25T04:00+01:00'],
    ['minute', 'Europe/Berlin', '2026-10-25T02:05', '2026-10-25T02:05+02:00', '2026-10-25T02:06+01:00'],
  ] as const)('%s in %s that begins at %s', (bucket, timeZone, label, start, end) => {
    expect(bucketCalendar(bucket, timeZone).wholeOf(label)).toEqual(span(label, start, end));
  });

  it.each([
    ['an hour that clocks skip', 'hour', 'Europe/Berlin', '2026-03-29T02:00'],
    ['the hour of records without a time', 'hour', 'UTC', '1970-01-01T00:00'],
    ['no date', 'hour', 'UTC', '2026-13-01T00:00'],
    ['a half of an hour', 'hour', 'UTC', '2026-07-31T11:30'],
  ] as const)('is not there for %s', (_, bucket, timeZone, label) => {
    expect(bucketCalendar(bucket, timeZone).wholeOf(label)).toBeUndefined();
  });
});
