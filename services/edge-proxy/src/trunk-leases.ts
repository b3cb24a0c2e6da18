/**
 * What edges agree on about trunks through the KV bucket `trunk` (edge.md E4): which edge asks the carrier (a lease for
 * each trunk) and which trunks an operator has taken out of service.
 *
 *   free --this edge writes first--> held --renewed in time--> held
 *                                     `--another edge took it, or nobody could be told for the length of a lease--> free
 *
 * A lease is lost by what is seen, not by clocks that differ: an edge takes one over when its revision has stood still
 * for the length of a lease by its own clock. While the bus is away each edge asks for itself.
 */
import type { Bucket } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import { trunkKey, trunkOfKey } from '@tandem/contracts/registration.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Clock, Timer } from './edge.ts'

/** A lease that was not renewed for so long is free, ms. */
export const LEASE_MS = 15_000

/** The console that makes the bucket, or the bus, may come a moment later than the edge, ms. */
const SOON_MS = 500

export interface TrunkLeases {
  /** The trunks of the configuration. */
  want(trunks: readonly string[]): void
  /** This edge asks this carrier. */
  holds(trunk: string): boolean
  /** Another edge that does, as far as is known. */
  holder(trunk: string): string | undefined
  drained(trunk: string): boolean
  /** Gives its leases back. */
  close(): Promise<void>
}

interface Lease {
  held: boolean
  holder: string | undefined
  /** 0: nobody holds it. */
  revision: number
  /** When the revision last changed, or was last renewed, monotonic ms. */
  seenMs: number
  busy: boolean
}

export function createTrunkLeases(parts: {
  readonly node: string
  readonly bus: Bus
  readonly log: Logger
  readonly clock: Clock
  /** Told when this edge begins or ends to ask, or the operator's word changes. */
  readonly changed: (trunk: string) => void
  readonly leaseMs?: number | undefined
}): TrunkLeases {
  const { node, bus, log, clock, changed } = parts
  const leaseMs = parts.leaseMs ?? LEASE_MS
  const leases = new Map<string, Lease>()
  const drained = new Set<string>()
  const stops: (() => Promise<void>)[] = []
  let bucket: Bucket | undefined
  let opening = false
  let closed = false
  let timer: Timer | undefined
  /** When a lease was last written, or seen to be, monotonic ms. */
  let agreedMs = clock.now()

  const setHeld = (trunk: string, lease: Lease, held: boolean) => {
    if (lease.held === held) return
    lease.held = held
    if (leases.get(trunk) === lease) changed(trunk)
  }

  const open = async () => {
    if (opening || closed || !bus.connected) return
    opening = true
    try {
      const opened = await bus.bucket('trunk')
      stops.push(
        opened.watchAll('lease.>', (key, entry) => {
          agreedMs = clock.now()
          const lease = leases.get(trunkOfKey(key))
          if (!lease || (entry && entry.revision <= lease.revision)) return
          const holder = entry && Buffer.from(entry.value).toString()
          if (holder === node && lease.held) return
          Object.assign(lease, { holder, revision: entry?.revision ?? 0, seenMs: clock.now() })
          if (holder !== undefined && holder !== node) setHeld(trunkOfKey(key), lease, false)
          // given back by an edge that stops: no need to wait for the next round
          if (!entry) void take(trunkOfKey(key), lease)
        }),
        opened.watchAll('drain.>', (key, entry) => {
          const trunk = trunkOfKey(key)
          if (drained.has(trunk) === (entry !== undefined)) return
          if (entry) drained.add(trunk)
          else drained.delete(trunk)
          changed(trunk)
        }),
      )
      bucket = opened
    } catch (error) {
      log.debug({ why: String(error) }, 'leases of trunks cannot be had')
    } finally {
      opening = false
    }
  }

  /** Writes the lease where it is free or our own; what another edge wrote meanwhile wins. */
  const take = async (trunk: string, lease: Lease) => {
    if (!bucket || closed || lease.busy || leases.get(trunk) !== lease) return
    const ours = lease.holder === node
    if (!ours && lease.revision !== 0 && clock.now() - lease.seenMs < leaseMs) return
    lease.busy = true
    try {
      const revision = await bucket.update(trunkKey('lease', trunk), node, lease.revision)
      agreedMs = clock.now()
      if (revision !== undefined) {
        Object.assign(lease, { holder: node, revision, seenMs: clock.now() })
        setHeld(trunk, lease, true)
      } else {
        const entry = await bucket.get(trunkKey('lease', trunk))
        const holder = entry && Buffer.from(entry.value).toString()
        Object.assign(lease, { holder, revision: entry?.revision ?? 0, seenMs: clock.now() })
        setHeld(trunk, lease, holder === node)
      }
    } catch (error) {
      log.debug({ trunk, why: String(error) }, 'lease')
    } finally {
      lease.busy = false
    }
  }

  const round = async () => {
    if (!bucket) await open()
    if (bus.connected && bucket) await Promise.all([...leases].map(([trunk, lease]) => take(trunk, lease)))
    // nobody to agree with: everybody asks for himself
    if (clock.now() - agreedMs > leaseMs) for (const [trunk, lease] of leases) setHeld(trunk, lease, true)
    if (!closed) timer = clock.setTimer(bucket ? leaseMs / 3 : Math.min(leaseMs / 3, SOON_MS), () => void round())
  }

  return {
    want(trunks) {
      for (const trunk of [...leases.keys()]) if (!trunks.includes(trunk)) void giveBack(trunk)
      for (const trunk of trunks) {
        if (leases.has(trunk)) continue
        const lease = { held: false, holder: undefined, revision: 0, seenMs: clock.now(), busy: false }
        leases.set(trunk, lease)
        void take(trunk, lease)
      }
      if (!timer) {
        timer = clock.setTimer(Math.min(leaseMs / 3, SOON_MS), () => void round())
        void open().then(() => Promise.all([...leases].map(([trunk, lease]) => take(trunk, lease))))
      }
    },
    holds: (trunk) => leases.get(trunk)?.held ?? false,
    holder: (trunk) => leases.get(trunk)?.holder,
    drained: (trunk) => drained.has(trunk),
    async close() {
      closed = true
      if (timer) clock.clearTimer(timer)
      const given = [...leases.keys()].map(giveBack)
      await Promise.race([
        Promise.allSettled(given),
        new Promise((late) => clock.setTimer(1_000, () => late(undefined))),
      ])
      await Promise.allSettled(stops.map((stop) => stop()))
    },
  }

  function giveBack(trunk: string): Promise<void> {
    const lease = leases.get(trunk)
    leases.delete(trunk)
    const done = lease?.held && bus.connected ? bucket?.remove(trunkKey('lease', trunk)) : undefined
    return (done ?? Promise.resolve()).catch(() => {})
  }
}
