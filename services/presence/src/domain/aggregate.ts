/** Many publications, one presence: `aggregate(publications, now)` (presence.md). Pure; the order of arrival does not matter. */
import { type DeviceClass, type Held, hold, instanceKey, live, type Publication } from './publication.ts'

export type Level =
  | 'appear-offline'
  | 'manual-dnd'
  | 'presenting'
  | 'in-a-call'
  | 'manual-busy-away'
  | 'meeting'
  | 'active'
  | 'idle'
  | 'offline'

/** The first level that any live publication reaches decides. Editable: give another order to `aggregate`. */
export const defaultPrecedence: readonly Level[] = [
  'appear-offline',
  'manual-dnd',
  'presenting',
  'in-a-call',
  'manual-busy-away',
  'meeting',
  'active',
  'idle',
  'offline',
]

export interface Presence {
  readonly level: Level
  readonly availability: 'available' | 'busy' | 'dnd' | 'away' | 'offline'
  /** RFC 4480 names, sorted. */
  readonly activities: readonly string[]
  readonly device: DeviceClass | undefined
  readonly confidence: 'certain' | 'likely'
  /** Wall clock, ms: since when the deciding publications hold; undefined when nothing is live. */
  readonly since: number | undefined
}

export function aggregate(
  publications: Iterable<Publication>,
  now: number,
  precedence: readonly Level[] = defaultPrecedence,
): Presence {
  const table = new Map<string, Held>()
  for (const p of publications) table.set(instanceKey(p), hold(table.get(instanceKey(p)), p))
  return aggregateHeld(table.values(), now, precedence)
}

/** The same over what is held already. */
export function aggregateHeld(
  held: Iterable<Held>,
  now: number,
  precedence: readonly Level[] = defaultPrecedence,
): Presence {
  const alive: { level: Level; publication: Publication }[] = []
  for (const h of held) {
    const publication = live(h, now)
    if (publication) alive.push({ level: levelOf(publication), publication })
  }
  // a manual "available" makes nobody reachable: it only stands above idle
  const reachable = alive.some(
    (a) => a.publication.source !== 'manual' && rank(a.level, precedence) < rank('offline', precedence),
  )
  const counted = alive.filter((a) => reachable || !isManualAvailable(a.publication))
  const level = counted.reduce<Level>(
    (best, a) => (rank(a.level, precedence) < rank(best, precedence) ? a.level : best),
    'offline',
  )
  const deciding = counted.filter((a) => a.level === level).map((a) => a.publication)
  return present(level, deciding, counted)
}

function rank(level: Level, precedence: readonly Level[]): number {
  const at = precedence.indexOf(level)
  return at < 0 ? precedence.length : at
}

function isManualAvailable(p: Publication): boolean {
  return p.source === 'manual' && p.availability === 'available'
}

function levelOf(p: Publication): Level {
  const said = p.source === 'manual' || p.source === 'publish'
  if (p.availability === 'appear-offline' || (p.source === 'manual' && p.availability === 'offline'))
    return 'appear-offline'
  if (said && p.availability === 'dnd') return 'manual-dnd'
  if (p.activities.includes('presentation')) return 'presenting'
  if (p.activities.includes('on-the-phone')) return 'in-a-call'
  if (said && (p.availability === 'busy' || p.availability === 'away')) return 'manual-busy-away'
  if (p.activities.includes('meeting') || p.activities.includes('appointment')) return 'meeting'
  // a leg that only rings says nothing about reachability
  if (p.source === 'call' || p.source === 'mobile') return 'offline'
  if (p.availability === 'available') return 'active'
  return p.availability === 'offline' ? 'offline' : 'idle'
}

const availabilityOf: Readonly<Record<Level, Presence['availability']>> = {
  'appear-offline': 'offline',
  'manual-dnd': 'dnd',
  presenting: 'dnd',
  'in-a-call': 'busy',
  'manual-busy-away': 'busy',
  meeting: 'busy',
  active: 'available',
  idle: 'away',
  offline: 'offline',
}

/** Shown beside the deciding level too: a person can be in a meeting and on the phone. */
const telling: readonly string[] = ['presentation', 'on-the-phone', 'meeting', 'appointment']

function present(
  level: Level,
  deciding: readonly Publication[],
  counted: readonly { level: Level; publication: Publication }[],
): Presence {
  const newest = deciding.toSorted(byNewest)[0]
  if (level === 'appear-offline' || !newest)
    return {
      level,
      availability: 'offline',
      activities: [],
      device: undefined,
      confidence: 'certain',
      since: newest?.since,
    }
  const availability = level === 'manual-busy-away' && newest.availability === 'away' ? 'away' : availabilityOf[level]
  const activities = new Set(deciding.flatMap((p) => p.activities))
  for (const { publication } of counted)
    for (const activity of publication.activities) if (telling.includes(activity)) activities.add(activity)
  return {
    level,
    availability,
    activities: [...activities].sort(),
    device: newest.device,
    confidence: deciding.some((p) => p.confidence === 'certain') ? 'certain' : 'likely',
    since: Math.min(...deciding.map((p) => p.since)),
  }
}

/** Newest first; equal ones in the order of their names, so that every replica shows the same. */
function byNewest(a: Publication, b: Publication): number {
  return b.since - a.since || (instanceKey(a) < instanceKey(b) ? -1 : 1)
}
