/** What a call needs of trunks and of the links between sites (routing.md R9), and what its caller is told when there is none. */
import type { Configuration } from '@tandem/config/schema.ts'
import { KINDS, type Limits, rateLimit } from './lease.ts'
import type { Held, Need } from './ledger.ts'

export type Admitted = { readonly kind: 'admitted'; readonly held: Held }
/** `why`: a sentence for the caller's Warning, the log and the record. */
export type Refused = { readonly kind: 'refused'; readonly why: string }
export type Admission = Admitted | Refused

export interface TrunkLimits {
  /**
   * At once while this edge holds places enough; else it asks the other edges, for a bounded time. An emergency call is
   * always admitted and never counted (location.md L3).
   */
  admit(needs: readonly Need[], emergency: boolean): Admission | Promise<Admission>
  /** Calls that exist already, taken over from an edge that died: its places are theirs. */
  adopt(needs: readonly Need[], from: string): Held
  close(): Promise<void>
}

/** Counted nowhere. */
export const FREE: Admitted = { kind: 'admitted', held: { release() {}, adjust() {} } }

/** KV keys take no dot at the end, and `=` is in no name. */
const key = (kind: 'trunk' | 'site', name: string): string => `${kind}.${name.replaceAll('.', '=')}`

export function limitsOf({ trunks, sites }: Configuration): Map<string, Limits> {
  const found = new Map<string, Limits>()
  for (const { name, limits } of Object.values(trunks)) {
    const of = { calls: limits.calls, kbps: limits.bandwidthKbps, ...rateLimit(limits.callsPerSecond) }
    if (KINDS.some((kind) => of[kind] !== null)) found.set(key('trunk', name), of)
  }
  for (const { name, bandwidthKbps: kbps } of Object.values(sites))
    if (kbps !== null) found.set(key('site', name), { calls: null, rate: null, kbps, windowMs: 1000 })
  return found
}

/** A leg on a trunk, which crosses the link of the site at the other end. */
export function trunkNeeds(trunk: string, site: string | undefined, kbps: number): Need[] {
  return [{ resource: key('trunk', trunk), calls: 1, kbps }, ...linkNeeds([site], kbps)]
}

/** A call to phones crosses the link of each site that one of the ends is in, unless all are in one site. */
export function phoneNeeds(from: string | undefined, phones: readonly (string | undefined)[], kbps: number): Need[] {
  if (phones.every((site) => site === from)) return []
  return linkNeeds([...new Set([from, ...phones])], kbps)
}

const linkNeeds = (sites: readonly (string | undefined)[], kbps: number): Need[] =>
  sites.flatMap((site) => (site === undefined ? [] : [{ resource: key('site', site), calls: 0, kbps }]))

export function sayFull(resource: string, of: (typeof KINDS)[number], limits: Limits): string {
  const [kind, written = ''] = resource.split(/\.(.*)/s)
  const name = written.replaceAll('=', '.')
  const what = kind === 'trunk' ? `Trunk ${name}` : `The link to site ${name}`
  if (of === 'calls') return `${what} carries its ${limits.calls} calls`
  if (of === 'kbps') return `${what} has no bandwidth left of its ${limits.kbps} kbit/s`
  return `${what} takes ${limits.rate} new calls in ${Math.round(limits.windowMs / 100) / 10} s`
}

/** One reservation for several legs, as phones that ring in parallel: given back when the last of them is over. */
export function sharedAmong(held: Held, legs: number): Held {
  let left = legs
  if (legs === 0) held.release()
  return {
    adjust: held.adjust,
    release() {
      if (--left === 0) held.release()
    },
  }
}
