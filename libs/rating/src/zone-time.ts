/** Wall-clock time in an IANA zone. Only Intl's zone data is used: no clock is read. */

const formats = new Map<string, Intl.DateTimeFormat>()

/** Milliseconds that local time in `zone` is ahead of UTC at `instant` (epoch ms). */
export function offsetAt(instant: number, zone: string): number {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
    formats.set(zone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000
}

/**
 * The instant at which clocks in `zone` show `local` (a Date.UTC value of the wall-clock fields).
 * A time that summer time skips is taken as the moment of the change; one that occurs twice as the first.
 */
export function instantOfLocal(local: number, zone: string): number {
  const before = offsetAt(local - 86_400_000, zone)
  const after = offsetAt(local + 86_400_000, zone)
  const early = local - Math.max(before, after)
  if (early + offsetAt(early, zone) === local) return early
  const late = local - Math.min(before, after)
  if (late + offsetAt(late, zone) === local) return late
  return firstInstantWithOffset(early, late, offsetAt(late, zone), zone)
}

function firstInstantWithOffset(from: number, to: number, offset: number, zone: string): number {
  let low = from
  let high = to
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000
    if (offsetAt(middle, zone) === offset) high = middle
    else low = middle
  }
  return high
}

/** [start, end) of the calendar month in `zone` that holds `instant`, epoch ms. */
export function monthAround(instant: number, zone: string): { start: number; end: number } {
  const local = new Date(instant + offsetAt(instant, zone))
  const year = local.getUTCFullYear()
  const month = local.getUTCMonth()
  return {
    start: instantOfLocal(Date.UTC(year, month, 1), zone),
    end: instantOfLocal(Date.UTC(year, month + 1, 1), zone),
  }
}

const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?$/
const ABSOLUTE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

/** Reads `2026-01-31`, `2026-01-31T08:00` (clocks in `zone`) or an instant with Z or an offset; undefined when neither. */
export function readInstant(text: string, zone: string): number | undefined {
  if (ABSOLUTE.test(text)) {
    const instant = Date.parse(text)
    return Number.isNaN(instant) ? undefined : instant
  }
  const parts = LOCAL.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const local = Date.UTC(year, month - 1, day, hour, minute, second)
  const back = new Date(local)
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59) return undefined
  return instantOfLocal(local, zone)
}
