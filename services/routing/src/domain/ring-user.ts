import type { Branch } from '@tandem/contracts/routing.ts'
import { type Calling, trunkAttempts } from './attempts.ts'
import type { Circumstances } from './circumstances.ts'
import { selectTrunks } from './select-trunks.ts'
import type { Authority, RoutedUser, RoutingTable } from './table.ts'

/** How long phones ring when nothing follows, ms. */
const ringMs = 60_000
/** A chain of forwardings that is longer has gone astray. */
const mostForwardings = 8

export type Ringing =
  | { readonly kind: 'ring'; readonly branches: Branch[]; readonly user: RoutedUser | undefined }
  | { readonly kind: 'refused'; readonly status: 403 | 404 | 482; readonly reason: string }

/** A call that is being put through to a user. */
export type Arriving = { readonly calling: Calling; readonly seed: string }

/**
 * The branches that ring for a user: the phones, and with them the mobile (routing.md R8: by the user's `ring` usages);
 * or where the user's calls are forwarded (by the `forward` usages).
 */
export function ringUser(called: RoutedUser, arriving: Arriving, table: RoutingTable, c: Circumstances): Ringing {
  const seen = new Set<RoutedUser>()
  let user = called
  for (; user.always !== undefined; ) {
    if (seen.has(user) || seen.size >= mostForwardings) {
      const reason = `Calls to ${called.name} are forwarded in a circle (${[...seen].map(({ name }) => name).join(' → ')}).`
      return { kind: 'refused', status: 482, reason }
    }
    seen.add(user)
    if (user.always.kind === 'number') return forwardOut(user, user.always.number, arriving, table, c)
    c.note?.('destination', `user ${user.name}`, 'note', `forwards every call to ${user.always.user}`)
    const next = table.users.get(user.always.user)
    if (next === undefined) return { kind: 'refused', status: 404, reason: `${user.name} forwards to nobody.` }
    user = next
  }
  return { kind: 'ring', user, branches: phonesAndMobile(user, arriving, table, c) }
}

function forwardOut(
  user: RoutedUser,
  number: string,
  arriving: Arriving,
  table: RoutingTable,
  c: Circumstances,
): Ringing {
  c.note?.('destination', `user ${user.name}`, 'note', `forwards every call to ${number}`)
  const calling = divert(arriving.calling, user.did ?? user.name, 'unconditional', table)
  const branch = outBranch('forward', number, user.policy.forward, { ...arriving, calling }, 0, table, c)
  if (branch !== undefined) return { kind: 'ring', user, branches: [branch] }
  const reason = `${user.name} forwards calls to ${number}, which ${user.policy.forward.owner} does not allow.`
  return { kind: 'refused', status: 403, reason }
}

function phonesAndMobile(user: RoutedUser, arriving: Arriving, table: RoutingTable, c: Circumstances): Branch[] {
  const waits = user.noAnswer === undefined ? ringMs : user.afterMs
  const branches: Branch[] = [
    { role: 'callee', delayMs: 0, attempts: [{ kind: 'user', user: user.name, ringMs: waits }] },
  ]
  c.note?.('destination', `user ${user.name}`, 'matched', 'all registered phones ring')
  if (user.simultaneousRing && user.mobile !== undefined) {
    const mobile = mobileBranch(user, user.mobile, arriving, table, c)
    if (mobile !== undefined) branches.push(mobile)
  }
  const next = user.noAnswer === undefined ? undefined : noAnswerBranch(user, arriving, table, c)
  if (next !== undefined) branches.push(next)
  return branches
}

function mobileBranch(user: RoutedUser, mobile: string, arriving: Arriving, table: RoutingTable, c: Circumstances) {
  // R8: the mobile that calls its own user would ring itself.
  if (arriving.calling.number === mobile) {
    c.note?.('destination', `mobile of ${user.name}`, 'skipped', 'it is the one that calls')
    return undefined
  }
  const calling = divert(arriving.calling, user.did ?? user.name, 'follow-me', table)
  const branch = outBranch('mobile', mobile, user.policy.ring, { ...arriving, calling }, 0, table, c)
  c.note?.(
    'destination',
    `mobile of ${user.name}`,
    branch === undefined ? 'skipped' : 'matched',
    branch === undefined ? `${user.policy.ring.owner} does not allow ${mobile}` : `${mobile} rings at the same time`,
  )
  return branch
}

function noAnswerBranch(
  user: RoutedUser,
  arriving: Arriving,
  table: RoutingTable,
  c: Circumstances,
): Branch | undefined {
  const target = user.noAnswer
  if (target?.kind === 'user') {
    return { role: 'forward', delayMs: user.afterMs, attempts: [{ kind: 'user', user: target.user, ringMs }] }
  }
  if (target === undefined) return undefined
  const calling = divert(arriving.calling, user.did ?? user.name, 'no-answer', table)
  return outBranch('forward', target.number, user.policy.forward, { ...arriving, calling }, user.afterMs, table, c)
}

function outBranch(
  role: 'mobile' | 'forward',
  number: string,
  authority: Authority,
  { calling, seed }: Arriving,
  delayMs: number,
  table: RoutingTable,
  c: Circumstances,
): Branch | undefined {
  const selection = selectTrunks(number, authority, table, seed, c)
  if (selection.kind !== 'chosen') return undefined
  const attempts = trunkAttempts(selection.picks, number, calling, c)
  return attempts.length === 0 ? undefined : { role, delayMs, attempts }
}

/** RFC 5806 4: who the call was for and why it goes on. */
export function divert(calling: Calling, of: string, reason: string, table: RoutingTable): Calling {
  if (calling.diversion !== undefined) return calling
  return { ...calling, diversion: `<sip:${of}@${table.domain}>;reason=${reason}` }
}
