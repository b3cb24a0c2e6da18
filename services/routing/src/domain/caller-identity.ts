import type { DialPlan } from '@tandem/numbers/dial-plan.ts'
import { normalise, readDialled } from '@tandem/numbers/dial-plan.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
import { brief, type Circumstances } from './circumstances.ts'
import type { Owners } from './owned-numbers.ts'
import type { RoutedUser } from './table.ts'

export type Shows =
  | { readonly kind: 'shows'; readonly number: string | undefined }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * routing.md R6: which number the PSTN is shown. What the phone says in From counts when it is the user's own or on the
 * allow-list of the user or the policy; else the user's number stands in its place, or the call is refused.
 *
 * `said`: user part of From. `private`: the caller wants to stay unknown (RFC 3323).
 */
export function callerIdentity(
  user: RoutedUser,
  said: string,
  privacy: boolean,
  plan: DialPlan,
  dids: Owners,
  { note }: Circumstances,
): Shows {
  const { policy } = user
  if (privacy || policy.suppress) return { kind: 'shows', number: undefined }
  const number = asNumber(said, plan)
  // An alternate identity of the user or the policy stands in place of the DID; another number of the user's stays.
  if (number === undefined || number === user.shows || number === user.did) return { kind: 'shows', number: user.shows }
  // another number of the user's, from the inventory
  if (dids.get(number) === user) return { kind: 'shows', number }
  if ([...user.mayShow, ...policy.mayShow].some((pattern) => pattern.test(number))) {
    note?.('source', 'caller identity', 'matched', `${number} is on the allow-list of ${user.name}`)
    return { kind: 'shows', number }
  }
  if (policy.otherwise === 'reject')
    return { kind: 'refused', reason: `${user.name} may not call as ${brief(said)}: it is on no allow-list.` }
  note?.('source', 'caller identity', 'skipped', `${user.name} may not show ${number}: ${user.shows ?? 'none'} instead`)
  return { kind: 'shows', number: user.shows }
}

/** A number as the user would dial it; a name or an extension says nothing of its own. */
function asNumber(said: string, plan: DialPlan): string | undefined {
  const digits = readDialled(said)
  if (isE164(digits)) return digits
  if (!/^\d{7,}$/.test(digits)) return undefined
  const { number } = normalise(plan, digits)
  return isE164(number) ? number : undefined
}
