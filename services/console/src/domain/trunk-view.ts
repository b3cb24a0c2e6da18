/** What the edges say of one trunk, as one state: health is the word of the edge that asks the carrier, calls are summed. */
import type { TrunkState } from '@tandem/contracts/registration.ts'

/** Edges tell every minute; one that was silent for longer is gone, and its calls with it, ms. */
const GONE_MS = 150_000

export function trunkView(told: Iterable<TrunkState>, nowMs: number): TrunkState | undefined {
  const newestFirst = [...told].sort((a, b) => (a.at < b.at ? 1 : -1))
  const present = newestFirst.filter((s, i) => i === 0 || nowMs - Date.parse(s.at) < GONE_MS)
  const word = present.find((s) => s.prober) ?? present[0]
  if (!word) return undefined
  const registered = present.filter((s) => s.registered)
  const until = registered.flatMap((s) => s.registeredUntil ?? []).sort()
  const latest = until[until.length - 1]
  const { registeredUntil: _, ...rest } = word
  return {
    ...rest,
    calls: present.reduce((n, s) => n + s.calls, 0),
    ...(word.registered === undefined ? {} : { registered: registered.length > 0 }),
    ...(latest === undefined ? {} : { registeredUntil: latest }),
  }
}
