/** One presence in the forms that people and devices read: the bus's JSON, PIDF with RPID, Microsoft's numbers. */
import type { PresenceState } from '@tandem/contracts/presence.ts'
import { type PidfDocument, type RpidActivity, rpidActivities, writePidf } from '@tandem/pidf/pidf.ts'
import type { Presence } from './aggregate.ts'

export type Coverage = 'full' | 'trunk-only' | 'none'

/** `since` is when the present state began, ms wall clock. */
export function stateOf(
  user: string,
  presence: Presence,
  more: { since: number; version: number; coverage: Coverage },
): PresenceState {
  return {
    user,
    availability: presence.availability,
    activities: [...presence.activities],
    ...(presence.device === undefined ? {} : { device: presence.device }),
    since: new Date(more.since).toISOString(),
    version: more.version,
    microsoft: microsoftNumber(presence.availability, presence.activities),
    coverage: more.coverage,
  }
}

/** MS-PRES availability: the class of the number tells the state, so that a Microsoft client shows the same. */
export function microsoftNumber(availability: PresenceState['availability'], activities: readonly string[]): number {
  switch (availability) {
    case 'available':
      return 3500
    case 'busy':
      return activities.includes('on-the-phone') ? 6500 : 6000
    case 'dnd':
      return 9000
    case 'away':
      return 15000
    case 'offline':
      return 18000
  }
}

/** True when two states differ in what anybody can see; `since` and `version` alone do not count. */
export function differs(a: PresenceState, b: PresenceState): boolean {
  return whatIsSeen(a) !== whatIsSeen(b)
}

/** Equal texts: nobody sees a difference. */
export function whatIsSeen(s: PresenceState): string {
  return JSON.stringify([s.availability, s.activities, s.device ?? null, s.coverage ?? null])
}

export function isInCall(state: PresenceState): boolean {
  return state.activities.includes('on-the-phone')
}

/**
 * The NOTIFY body. baresip 1.0 looks for `<rpid:away/>` before anything else, so `away` stands there only when the person
 * is away and nothing more.
 */
export function pidfOf(state: PresenceState, entity: string): string {
  const since = state.since
  const open = state.availability !== 'offline'
  const activities = rpidOf(state)
  const other = state.availability === 'dnd' ? ['do-not-disturb'] : []
  const document: PidfDocument = {
    entity,
    tuples: [{ id: 'line', basic: open ? 'open' : 'closed', ...(open ? { contact: entity } : {}), timestamp: since }],
    persons:
      open && activities.length + other.length > 0
        ? [{ id: 'person', activities, ...(other.length > 0 ? { other } : {}), since, note: noteOf(state) }]
        : [],
  }
  return writePidf(document)
}

function rpidOf(state: PresenceState): RpidActivity[] {
  const known = state.activities.filter((a): a is RpidActivity => (rpidActivities as readonly string[]).includes(a))
  if (state.availability === 'dnd' && !known.includes('busy')) return ['busy', ...known.filter((a) => a !== 'away')]
  if (state.availability === 'away') return known.includes('away') ? known : ['away', ...known]
  const rest = known.filter((a) => a !== 'away')
  return state.availability === 'busy' && rest.length === 0 ? ['busy'] : rest
}

function noteOf(state: PresenceState): string {
  if (isInCall(state)) return state.device === 'mobile' ? 'In a call (mobile)' : 'In a call'
  if (state.availability === 'dnd') return 'Do not disturb'
  if (state.availability === 'away') return 'Away'
  return state.activities.includes('meeting') ? 'In a meeting' : 'Busy'
}
