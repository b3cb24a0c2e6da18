/** What one source says about one user, and how several of them become what is held (presence.md, Aggregation). */

export type Source = 'registration' | 'call' | 'mobile' | 'publish' | 'manual' | 'calendar'
export type DeviceClass = 'desk' | 'mobile' | 'remote' | 'unknown'

export interface Publication {
  readonly user: string
  readonly source: Source
  /** Leg, binding, ETag entity …: what tells two publications of a source apart. */
  readonly instance: string
  readonly availability: 'available' | 'busy' | 'dnd' | 'away' | 'offline' | 'appear-offline'
  /** RFC 4480 names: `on-the-phone`, `presentation`, `meeting` … */
  readonly activities: readonly string[]
  readonly device: DeviceClass
  readonly confidence: 'certain' | 'likely'
  /** Wall clock, ms. */
  readonly since: number
  /** Wall clock, ms: not live from then on. Counted from when the source spoke, never from when it was heard. */
  readonly expires: number
  /** The last writer by (epoch, seq) wins, never the last to arrive. */
  readonly epoch: number
  readonly seq: number
  /** A tombstone: it is over, and until `expires` nothing older brings it back. */
  readonly ended: boolean
  /** Says only that what was said before still holds: moves `expires`, and counts in itself when nothing was heard before. */
  readonly renewal: boolean
}

/** What is held of one (source, instance): the newest word of all, and the newest that is not a renewal. */
export interface Held {
  readonly newest: Publication
  readonly content: Publication
}

/** `ended` is kept at least this long, ms. */
export const TOMBSTONE_MS = 60_000

export function instanceKey(p: Publication): string {
  return `${p.user}\u0000${p.source}\u0000${p.instance}`
}

/**
 * Takes a publication in. Commutative, associative and idempotent, so the order of arrival and repetitions do not matter.
 * `content` is a renewal only while nothing else has been heard.
 */
export function hold(held: Held | undefined, p: Publication): Held {
  if (held === undefined) return { newest: p, content: p }
  return { newest: later(held.newest, p), content: contentOf(held.content, p) }
}

function contentOf(a: Publication, b: Publication): Publication {
  if (a.renewal !== b.renewal) return a.renewal ? b : a
  return later(a, b)
}

function later(a: Publication, b: Publication): Publication {
  return compare(a, b) >= 0 ? a : b
}

/** Order of writing; two different ones of the same (epoch, seq) still have one order, so that all replicas agree. */
function compare(a: Publication, b: Publication): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  if (a.seq !== b.seq) return a.seq - b.seq
  if (a.ended !== b.ended) return a.ended ? 1 : -1
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)]
  return left === right ? 0 : left < right ? -1 : 1
}

/** What counts at `now`, or undefined when it is over, lapsed or a tombstone. */
export function live(held: Held, now: number): Publication | undefined {
  if (held.newest.ended || held.newest.expires <= now) return undefined
  return held.content.ended ? undefined : held.content
}

/** Nothing that may still arrive could change what this one says: it can be forgotten. */
export function forgettable(held: Held, now: number): boolean {
  return Math.max(held.newest.expires, held.newest.ended ? held.newest.since + TOMBSTONE_MS : 0) <= now
}
