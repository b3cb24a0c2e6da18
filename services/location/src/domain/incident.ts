/**
 * The record of an emergency call (location.md L18): entries are only ever added, and each one's hash covers the one before
 * it, so that nothing can be changed, left out or put in later without showing.
 */
import { createHash } from 'node:crypto'
import type { Incident } from '@tandem/contracts/emergency.ts'
import type { Place } from '@tandem/contracts/values.ts'

/** One line of the log. `about` is set by the entry that opens an incident. */
export interface IncidentEntry {
  readonly callId: string
  readonly at: string
  readonly what: string
  readonly about?: IncidentHead
  readonly hash: string
}

export interface IncidentHead {
  readonly test: boolean
  readonly user?: string
  readonly callback?: string
  readonly place?: Place
}

/** What the first entry's hash covers. */
export const GENESIS = '0'.repeat(64)

export function chain(previous: string, entry: Omit<IncidentEntry, 'hash'>): IncidentEntry {
  return { ...entry, hash: hashOf(previous, entry) }
}

function hashOf(previous: string, { callId, at, what, about }: Omit<IncidentEntry, 'hash'>): string {
  return createHash('sha256')
    .update(JSON.stringify([previous, callId, at, what, sorted(about ?? null)]))
    .digest('hex')
}

/** One spelling of a value whatever the order of its keys. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => [k, sorted(v)])
}

/** Index of the first entry whose hash does not follow from what is before it; undefined when all do. */
export function brokenAt(entries: readonly IncidentEntry[]): number | undefined {
  let previous = GENESIS
  for (const [i, entry] of entries.entries()) {
    if (entry.hash !== hashOf(previous, entry)) return i
    previous = entry.hash
  }
  return undefined
}

/** Entries that one incident may have; more are dropped, the first ones tell the story. */
const ENTRIES = 1000

export interface IncidentLog {
  /** Adds an entry unless one with the same `key` was added before (facts may come twice). Undefined: not added. */
  add(entry: Omit<IncidentEntry, 'hash'>, key: string): IncidentEntry | undefined
  has(callId: string, key: string): boolean
  /** Newest first. */
  list(limit: number): Incident[]
}

/** Starts from what was kept: entries whose chain was checked. `keyOf` gives the key under which an entry was added. */
export function createIncidentLog(kept: readonly (IncidentEntry & { readonly key: string })[]): IncidentLog {
  let head = GENESIS
  const incidents = new Map<string, { entries: IncidentEntry[]; keys: Set<string>; about?: IncidentHead }>()

  function take(entry: IncidentEntry, key: string): void {
    const incident = incidents.get(entry.callId) ?? { entries: [], keys: new Set<string>() }
    incidents.set(entry.callId, incident)
    incident.entries.push(entry)
    incident.keys.add(key)
    if (entry.about) incident.about ??= entry.about
    head = entry.hash
  }
  for (const entry of kept) take(entry, entry.key)

  return {
    add(entry, key) {
      const incident = incidents.get(entry.callId)
      if (incident && (incident.keys.has(key) || incident.entries.length >= ENTRIES)) return undefined
      const chained = chain(head, entry)
      take(chained, key)
      return chained
    },
    has: (callId, key) => incidents.get(callId)?.keys.has(key) ?? false,
    list: (limit) =>
      [...incidents]
        .reverse()
        .slice(0, limit)
        .map(([callId, { entries, about }]) => ({
          ...{ callId, startedAt: entries[0]?.at ?? '', test: about?.test ?? false },
          ...(about?.user === undefined ? {} : { user: about.user }),
          ...(about?.callback === undefined ? {} : { callback: about.callback }),
          ...(about?.place === undefined ? {} : { place: about.place }),
          entries: entries.map(({ at, what, hash }) => ({ at, what, hash })),
        })),
  }
}
