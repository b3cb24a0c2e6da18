import type { CallIdentity, TrunkAttempt } from '@tandem/contracts/routing.ts'
import { translate } from '@tandem/numbers/translate.ts'
import { brief, type Circumstances } from './circumstances.ts'
import type { Pick } from './select-trunks.ts'
import type { RoutedTrunk, RoutedUser } from './table.ts'

/** Who the far end is told is calling; `number` undefined = withheld. */
export type Calling = {
  readonly number: string | undefined
  readonly display: string | undefined
  /** RFC 5806, for calls that are passed on: whose call it was and why it comes; the last diversion first. */
  readonly diversions?: readonly string[]
}

/** Whose call it is, for facts, presence and billing. */
export function identityOf(user: RoutedUser, site = user.site): CallIdentity {
  return {
    user: user.name,
    ...(user.did === undefined ? {} : { number: user.did }),
    display: user.display,
    site,
    ...(user.costCentre === undefined ? {} : { costCentre: user.costCentre }),
  }
}

/** More than the longest pattern makes of a number, and less than any switch takes. */
const longest = 256
/** The contract's bound for one branch. */
const mostAttempts = 64

/** One INVITE for each place of the plan, both numbers translated anew from the originals (routing.md R3). */
export function trunkAttempts(
  picks: readonly Pick[],
  called: string,
  calling: Calling,
  circumstances: Circumstances,
): TrunkAttempt[] {
  return picks.slice(0, mostAttempts).flatMap((pick) => {
    const { trunk, route } = pick
    const allowed = allowedTo(trunk, calling, circumstances)
    if (allowed === undefined) return []
    const attempt: TrunkAttempt = {
      kind: 'trunk',
      trunk: trunk.name,
      route: route.name,
      called: translateCalled(trunk, called, circumstances),
      ...shown(trunk, allowed, circumstances),
      noResponseMs: trunk.noResponseMs,
      onlyTryingMs: trunk.onlyTryingMs,
      retry: trunk.retry,
    }
    circumstances.placed?.(attempt, pick, called)
    return [attempt]
  })
}

/** By which usage the first attempt is made: an earlier place may be left out for the caller's number. */
export function usageOf(picks: readonly Pick[], [first]: readonly TrunkAttempt[]): { usage?: string } {
  const pick = picks.find(({ trunk }) => trunk.name === first?.trunk)
  return pick === undefined ? {} : { usage: pick.usage }
}

/** R6: the numbers that this carrier lets us show; undefined: the call does not go this way. */
function allowedTo(trunk: RoutedTrunk, calling: Calling, { note }: Circumstances): Calling | undefined {
  const { callerId } = trunk
  const { number } = calling
  if (callerId === undefined || number === undefined || callerId.allow.some((pattern) => pattern.test(number))) {
    return calling
  }
  const item = `trunk ${trunk.name}, calling`
  const { otherwise, number: instead } = callerId
  if (otherwise === 'reject') {
    note?.('selection', `trunk ${trunk.name}`, 'skipped', `${brief(number)} may not be shown to this carrier`)
    return undefined
  }
  const shows = otherwise === 'suppress' ? undefined : instead
  note?.(
    'translation',
    item,
    'note',
    `${brief(number)} may not be shown to this carrier: ${shows ?? 'none'} is instead`,
  )
  return { ...calling, number: shows }
}

export function translateCalled(trunk: RoutedTrunk, called: string, { note }: Circumstances): string {
  const { number, rule } = translate(trunk.outbound.called, called)
  note?.(
    'translation',
    `trunk ${trunk.name}, called`,
    rule === undefined ? 'no-match' : 'matched',
    sent(called, number, rule),
  )
  return number.slice(0, longest)
}

/** Calling number, name and headers of one attempt. */
export function shown(trunk: RoutedTrunk, { number, display, diversions }: Calling, { note }: Circumstances): Shown {
  const headers = diversionFields(diversions)
  if (number === undefined) {
    note?.('translation', `trunk ${trunk.name}, calling`, 'note', 'the caller is withheld')
    // RFC 3323 4.1.1.3 and 4.2: an anonymous From, and the wish for privacy in so many words.
    return { calling: 'anonymous', displayName: 'Anonymous', headers: [...headers, ['Privacy', 'id']] }
  }
  const { number: calling, rule } = translate(trunk.outbound.calling, number)
  note?.(
    'translation',
    `trunk ${trunk.name}, calling`,
    rule === undefined ? 'no-match' : 'matched',
    sent(number, calling, rule),
  )
  return {
    calling: calling.slice(0, longest),
    ...(display === undefined ? {} : { displayName: display }),
    ...(headers.length === 0 ? {} : { headers }),
  }
}
/** As they stand in an INVITE. */
export const diversionFields = (diversions: readonly string[] = []): [string, string][] =>
  diversions.slice(0, 16).map((value) => ['Diversion', value])

type Shown = { calling: string; displayName?: string; headers?: [string, string][] }

const sent = (from: string, to: string, rule: string | undefined): string =>
  from === ''
    ? 'the caller gave no number'
    : rule === undefined
      ? `${from} is sent as it is`
      : `rule ${rule}: ${from} is sent as ${to}`
