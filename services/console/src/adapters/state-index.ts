/** The last word on every trunk and every registration. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import {
  type Binding,
  type JudgedTrunk,
  RegistrationBound,
  RegistrationRemoved,
  TrunkChanged,
  TrunkJudged,
  type TrunkState,
} from '@tandem/contracts/registration.ts'

const dayMs = 86_400_000

export interface StateIndex {
  readonly trunks: Map<string, TrunkState>
  /** Of trunks that are judged by quality. */
  readonly quality: Map<string, JudgedTrunk>
  readonly bindings: Map<string, Binding>
  close(): Promise<void>
}

export function startStateIndex(bus: Bus): StateIndex {
  const trunks = new Map<string, TrunkState>()
  const quality = new Map<string, JudgedTrunk>()
  const bindings = new Map<string, Binding>()
  const sweep = setInterval(() => {
    const now = new Date().toISOString()
    for (const [id, b] of bindings) if (b.expiresAt < now) bindings.delete(id)
  }, 5000)
  // the two facts come from one stream through two readers: the later `at` wins
  const removedAt = new Map<string, string>()
  const stops: Stop[] = [
    bus.replay(TrunkChanged, { sinceMs: dayMs }, (t) => trunks.set(t.trunk, t)),
    bus.replay(TrunkJudged, { sinceMs: dayMs }, ({ trunk, at: _, ...judged }) => quality.set(trunk, judged)),
    bus.replay(RegistrationBound, { sinceMs: dayMs }, (b) => {
      if ((removedAt.get(b.bindingId) ?? '') < b.at && b.expiresAt > new Date().toISOString())
        bindings.set(b.bindingId, b)
    }),
    bus.replay(RegistrationRemoved, { sinceMs: dayMs }, (b) => {
      removedAt.set(b.bindingId, b.at)
      if (removedAt.size > 100_000) removedAt.delete(removedAt.keys().next().value as string)
      const known = bindings.get(b.bindingId)
      if (known && known.at <= b.at) bindings.delete(b.bindingId)
    }),
  ]
  return {
    trunks,
    quality,
    bindings,
    close: async () => {
      clearInterval(sweep)
      await Promise.all(stops.map((s) => s()))
    },
  }
}
