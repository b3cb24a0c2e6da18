import type { Calling } from './attempts.ts'
import type { RoutedUser, RoutingTable } from './table.ts'

/** A call that is being put through to a user. */
export type Arriving = { readonly calling: Calling; readonly seed: string }

/** A call that was forwarded more often goes in a circle, whatever the hops say. */
const mostDiversions = 8

/** RFC 5806 4: who the call was for and why it goes on, before those that came with it. `of`: a user, or a number of ours. */
export function divert(calling: Calling, of: RoutedUser | string, reason: string, table: RoutingTable): Calling {
  const name = typeof of === 'string' ? of : (of.did ?? of.name)
  const privacy = typeof of !== 'string' && of.policy.suppress ? ';privacy=full' : ''
  const own = `<sip:${name}@${table.domain}>;reason=${reason}${privacy}`
  return { ...calling, diversions: [own, ...(calling.diversions ?? [])] }
}

/** routing.md R8: this user has sent the call on already, here or before it left the house and came back. */
export function hasDiverted(user: RoutedUser, { calling }: Arriving): boolean {
  const own = [user.did, user.name].filter((name) => name !== undefined)
  return (calling.diversions ?? []).some((value) => {
    const named = /<?(?:sips?:|tel:)([^@;>]+)/i.exec(value)?.[1]
    return named !== undefined && own.includes(named)
  })
}

export const divertedTooOften = ({ calling }: Arriving): boolean => (calling.diversions?.length ?? 0) >= mostDiversions
