import type { Configuration, User } from '@tandem/config/defaults.ts'
import { type DialPlan, normalise, readDialled } from '@tandem/numbers/dial-plan.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
import { compilePattern, type Pattern } from '@tandem/numbers/pattern.ts'
import { extensionOf } from './destination.ts'
import { compileInventory } from './inventory.ts'
import type { NumberIndex } from './number-index.ts'
import { blocksOf, ownersOf } from './owned-numbers.ts'
import type { ForwardTarget, RoutedPolicy, RoutedSite, RoutedUser, RoutingTable } from './table.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
export type Directory = Pick<RoutingTable, 'users' | 'dids' | 'inventory' | 'extensions' | 'soleExtensions' | 'blocks'>

/** Numbers are given out by the thousand: an unassigned one beside ours is a wrong number, not a call to elsewhere. */
export const blockOf = (number: string): string => number.slice(0, -3)

/** Users come in slices, so that a table of a million can be built between two calls. */
export type DirectoryBuilder = {
  add(users: Iterable<User>): void
  /** What can be told only when everybody is there. */
  finish(): Directory
}

/** Everybody and every number that somebody has: one pass, one object each. */
export function directoryBuilder(
  c: Configuration,
  plans: ReadonlyMap<string, DialPlan>,
  sites: ReadonlyMap<string, RoutedSite>,
  policies: ReadonlyMap<string, RoutedPolicy>,
  files: readonly NumberIndex[],
): DirectoryBuilder {
  const globalPlan = c.dialPlan === null ? undefined : plans.get(c.dialPlan)
  const users = new Map<string, RoutedUser>()
  const dids = new Map<string, RoutedUser>()
  const extensions = new Map<string, RoutedUser>()
  const soleExtensions = new Map<string, RoutedUser>()
  const several = new Set<string>()
  const blocks = new Set<string>()
  const forwarding: [Writable<RoutedUser>, User][] = []

  const add = (user: User): void => {
    const routed = compileUser(user, policies.get(user.policy) ?? noPolicy, c, plans)
    users.set(user.name, routed)
    if (user.did !== null) {
      dids.set(user.did, routed)
      blocks.add(blockOf(user.did))
    }
    const { extension } = user
    if (extension !== null) {
      extensions.set(`${user.site} ${extension}`, routed)
      if (soleExtensions.delete(extension)) several.add(extension)
      else if (!several.has(extension)) soleExtensions.set(extension, routed)
    }
    const { always, busy, noAnswer, unreachable } = user.forward
    if (always ?? busy ?? noAnswer ?? unreachable) forwarding.push([routed, user])
  }
  return {
    add(some) {
      for (const user of some) add(user)
    },
    finish() {
      for (const { first, last, user } of c.numbers) {
        if (first === last) blocks.add(blockOf(first))
        const routed = user === null ? undefined : users.get(user)
        if (routed !== undefined) dids.set(first, routed)
      }
      const owners = ownersOf(dids, files, users)
      const found = { users, dids: owners, extensions, soleExtensions }
      for (const [routed, { forward }] of forwarding) {
        const plan = routed.dialPlan ?? sites.get(routed.site)?.dialPlan ?? globalPlan
        const target = (text: string | null) => forwardTarget(text, routed, plan, found)
        routed.always = target(forward.always)
        routed.busy = target(forward.busy)
        routed.noAnswer = target(forward.noAnswer)
        routed.unreachable = target(forward.unreachable)
      }
      for (const elins of Object.values(c.emergency.elins)) for (const elin of elins) blocks.add(blockOf(elin))
      const inventory = compileInventory(c.numbers, users, policies, files)
      return { users, dids: owners, inventory, extensions, soleExtensions, blocks: blocksOf(blocks, files) }
    },
  }
}

const nothing = { owner: 'no policy', usages: [] }
const noPolicy: RoutedPolicy = {
  ...{ usages: nothing, forward: nothing, ring: nothing },
  ...{ suppress: false, showAs: undefined, mayShow: [], otherwise: 'replace' },
}

/** One empty list for a million users. */
const nobody: readonly never[] = []

export function compilePatterns(sources: readonly string[]): Pattern[] {
  return sources.flatMap((source) => {
    const compiled = compilePattern(source)
    return compiled.kind === 'pattern' ? [compiled.pattern] : []
  })
}

function compileUser(
  user: User,
  policy: RoutedPolicy,
  c: Configuration,
  plans: ReadonlyMap<string, DialPlan>,
): RoutedUser {
  return {
    name: user.name,
    display: user.displayName,
    did: user.did ?? undefined,
    site: user.site,
    costCentre: user.costCentre ?? undefined,
    ...dialPlanOf(user, c, plans),
    policy,
    shows: user.callerId ?? policy.showAs ?? user.did ?? undefined,
    mayShow: user.mayShow.length === 0 ? nobody : compilePatterns(user.mayShow),
    callback: user.emergencyCallback ?? user.did ?? undefined,
    mobile: user.mobile ?? undefined,
    simultaneousRing: user.simultaneousRing,
    always: undefined,
    busy: undefined,
    noAnswer: undefined,
    unreachable: undefined,
    afterMs: user.forward.afterMs,
  }
}

/** Scopes of R1: the user's own, else that of the pool. */
function dialPlanOf(user: User, c: Configuration, plans: ReadonlyMap<string, DialPlan>) {
  const own = user.dialPlan === null ? undefined : plans.get(user.dialPlan)
  if (own !== undefined) return { dialPlan: own, dialPlanFrom: `of user ${user.name}` }
  const pooled = plans.get(c.pools[user.pool ?? '']?.dialPlan ?? '')
  return { dialPlan: pooled, dialPlanFrom: `of pool ${user.pool}` }
}

/** A user's name, the own mobile, or a number or extension as that user would dial it; anything else forwards nowhere. */
function forwardTarget(
  text: string | null,
  own: RoutedUser,
  plan: DialPlan | undefined,
  found: Pick<Directory, 'users' | 'dids' | 'extensions' | 'soleExtensions'>,
): ForwardTarget | undefined {
  if (text === null) return undefined
  if (found.users.has(text)) return { kind: 'user', user: text }
  if (text === 'mobile') return own.mobile === undefined ? undefined : { kind: 'number', number: own.mobile }
  const digits = readDialled(text)
  const number = plan === undefined || isE164(digits) ? digits : normalise(plan, digits).number
  const owner = found.dids.get(number) ?? extensionOf(digits, own.site, found)
  if (owner !== undefined) return { kind: 'user', user: owner.name }
  return isE164(number) ? { kind: 'number', number } : undefined
}
