import type { Attempt } from '@tandem/contracts/routing.ts'
import { diversionFields, trunkAttempts } from './attempts.ts'
import type { Circumstances } from './circumstances.ts'
import type { OurNumber } from './inventory.ts'
import { type Arriving, divert, type Ringing, ringUser } from './ring-user.ts'
import { selectTrunks } from './select-trunks.ts'
import type { Authority, RoutedUser, RoutingTable } from './table.ts'

const ringMs = 60_000

/** routing.md R2: a number of ours that nobody has is 404, or its calls go to its failover target. */
export function ringUnassigned(
  number: string,
  entry: OurNumber,
  arriving: Arriving,
  table: RoutingTable,
  c: Circumstances,
): Ringing {
  const { failover, reserved, authority } = entry
  if (reserved) return { kind: 'refused', status: 404, reason: `${number} is reserved: it is not in service.` }
  if (failover === undefined) return { kind: 'refused', status: 404, reason: `Nobody has ${number}.` }
  const target = failover.kind === 'user' ? `user ${failover.user}` : failover.number
  c.note?.('destination', number, 'matched', `nobody has it: its failover target is ${target}`)
  const calling = divert(arriving.calling, number, 'unavailable', table)
  if (failover.kind === 'user') {
    const user = table.users.get(failover.user)
    if (user === undefined) return { kind: 'refused', status: 404, reason: `Nobody has ${number}.` }
    return ringUser(user, { ...arriving, calling }, table, c)
  }
  const attempts = outAttempts(failover.number, authority ?? none, { ...arriving, calling }, table, c)
  if (attempts.length > 0)
    return { kind: 'ring', user: undefined, branches: [{ role: 'forward', delayMs: 0, attempts }] }
  const reason = `Nobody has ${number}, and its failover target ${failover.number} may not be called.`
  return { kind: 'refused', status: 404, reason }
}

const none: Authority = { owner: 'no policy', usages: [] }

/**
 * The failover target of a number that somebody has: after the phones, for when none of them is registered. Only while
 * the user's own phones ring: who forwards all calls has said where they go.
 */
export function withFailover(
  ringing: Ringing,
  user: RoutedUser,
  number: string | undefined,
  arriving: Arriving,
  table: RoutingTable,
  c: Circumstances,
): Ringing {
  if (ringing.kind !== 'ring' || ringing.user !== user || number === undefined) return ringing
  const target = table.inventory.find(number)?.failover
  const [phones] = ringing.branches
  // the user's own word for calls that reach no phone goes before that of the number
  if (user.unreachable !== undefined) return ringing
  if (target === undefined || phones?.role !== 'callee' || (target.kind === 'user' && target.user === user.name)) {
    return ringing
  }
  const said = target.kind === 'user' ? `user ${target.user}` : target.number
  c.note?.('destination', number, 'note', `failover target, when no phone of ${user.name} is registered: ${said}`)
  const calling = divert(arriving.calling, number, 'unavailable', table)
  const more: Attempt[] =
    target.kind === 'user'
      ? [{ kind: 'user', user: target.user, ringMs, headers: diversionFields(calling.diversions) }]
      : outAttempts(target.number, user.policy.forward, { ...arriving, calling }, table, c)
  // 64 is the contract's bound for one branch.
  phones.attempts.push(...more.slice(0, 64 - phones.attempts.length))
  return ringing
}

function outAttempts(number: string, authority: Authority, a: Arriving, table: RoutingTable, c: Circumstances) {
  const selection = selectTrunks(number, authority, table, a.seed, c)
  return selection.kind === 'chosen' ? trunkAttempts(selection.picks, number, a.calling, c) : []
}
