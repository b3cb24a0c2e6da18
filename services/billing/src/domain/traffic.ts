/** Traffic engineering on real calls: how many channels were, and would be, needed. Times are epoch ms. */

export interface Interval {
  start: number
  end: number
}

/** The most intervals that were up at one moment; one that ends when another begins does not add to it. */
export function peakConcurrency(calls: readonly Interval[]): number {
  const starts = Float64Array.from(calls, (call) => call.start).sort()
  const ends = Float64Array.from(calls, (call) => call.end).sort()
  let up = 0
  let peak = 0
  for (let s = 0, e = 0; s < starts.length; s += 1) {
    while (e < ends.length && (ends[e] as number) <= (starts[s] as number)) {
      e += 1
      up -= 1
    }
    up += 1
    if (up > peak) peak = up
  }
  return peak
}

const HOUR_MS = 3_600_000

/** Traffic of the busiest clock hour, erlang: the mean number of calls that were up in it. */
export function busyHourErlang(calls: readonly Interval[]): number {
  const hours = new Map<number, number>()
  for (const { start, end } of calls) {
    for (let hour = Math.floor(start / HOUR_MS); hour * HOUR_MS < end; hour += 1) {
      const part = Math.min(end, (hour + 1) * HOUR_MS) - Math.max(start, hour * HOUR_MS)
      hours.set(hour, (hours.get(hour) ?? 0) + part)
    }
  }
  return Math.max(0, ...hours.values()) / HOUR_MS
}

/** Erlang-B: the share of calls that find all `channels` busy when `erlang` are offered (ITU-T E.501 annex A). */
export function blocking(erlang: number, channels: number): number {
  let share = 1
  for (let n = 1; n <= channels; n += 1) share = (erlang * share) / (n + erlang * share)
  return share
}

/** Fewest channels that block at most `target` (0.01: one call in a hundred) of `erlang`. */
export function channelsFor(erlang: number, target: number): number {
  let channels = 0
  let share = 1
  while (share > target && channels < 100_000) {
    channels += 1
    share = (erlang * share) / (channels + erlang * share)
  }
  return erlang === 0 ? 0 : channels
}
