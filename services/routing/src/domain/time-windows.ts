import type { RouteWindow } from '@tandem/config/defaults.ts'

/** When a route is used: minutes of the week in one time zone, from the first to before the last. */
export type TimeWindows = {
  readonly zone: Intl.DateTimeFormat
  readonly spans: readonly { readonly day: number; readonly from: number; readonly to: number }[]
}

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Undefined = always. A window that ends before it begins goes on past midnight. */
export function compileWindows(windows: readonly RouteWindow[], timeZone: string): TimeWindows | undefined {
  if (windows.length === 0) return undefined
  const spans = windows.flatMap((window) =>
    window.days.flatMap((name) => {
      const [day, from, to] = [days.indexOf(name), minutes(window.from), minutes(window.to)]
      if (from < to) return [{ day, from, to }]
      return [
        { day, from, to: 1440 },
        { day: (day + 1) % 7, from: 0, to },
      ]
    }),
  )
  return { zone: formatOf(timeZone), spans }
}

/** `now`: epoch ms. */
export function isOpen(windows: TimeWindows, now: number): boolean {
  let [day, hour, minute] = [0, 0, 0]
  for (const part of windows.zone.formatToParts(now)) {
    if (part.type === 'weekday') day = days.indexOf(part.value.toLowerCase())
    else if (part.type === 'hour') hour = Number(part.value)
    else if (part.type === 'minute') minute = Number(part.value)
  }
  const at = hour * 60 + minute
  return windows.spans.some((span) => span.day === day && at >= span.from && at < span.to)
}

/** The time of day and weekday in words, for `explain`. */
export function sayTime(windows: TimeWindows, now: number): string {
  return windows.zone.format(now)
}

function minutes(text: string): number {
  const [hours, rest] = text.split(':').map(Number)
  return (hours ?? 0) * 60 + (rest ?? 0)
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const wanted = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  try {
    return new Intl.DateTimeFormat('en-US', { ...wanted, timeZone })
  } catch {
    return new Intl.DateTimeFormat('en-US', { ...wanted, timeZone: 'UTC' })
  }
}
