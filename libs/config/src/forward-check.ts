/** Where calls are forwarded: to somebody who is there, and never to an emergency number. */
import { readDialled } from '@tandem/numbers/dial-plan.ts'
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'

type User = ConfigurationDocument['users'][string]

export function forwardProblems(d: ConfigurationDocument, found: Findings): void {
  const reserved = new Set([...d.emergency.numbers, ...(d.emergency.test ?? [])])
  for (const name in d.users) {
    const user = d.users[name] as User
    const { forward } = user
    if (forward === undefined) continue
    for (const key of ['always', 'busy', 'noAnswer', 'unreachable'] as const) {
      const written = forward[key]
      if (written === undefined) continue
      const at: Path = ['users', name, 'forward', key]
      if (typeof written === 'string') target(d, name, user, written, reserved, at, found)
      else target(d, name, user, written.to, reserved, [...at, 'to'], found)
    }
  }
}

function target(
  d: ConfigurationDocument,
  name: string,
  user: User,
  to: string,
  reserved: ReadonlySet<string>,
  at: Path,
  found: Findings,
): void {
  if (to === name) {
    return void found.problem(at, `${name} forwards calls to ${name}`, 'Name another user, a number or mobile.')
  }
  if (Object.hasOwn(d.users, to)) return
  if (to === 'mobile') {
    if (user.mobile === undefined) found.problem(at, `${name} has no mobile`, 'Add mobile: "+…" to the user.')
    return
  }
  const digits = readDialled(to)
  const prefix = prefixOf(d, user)
  const bare = prefix !== undefined && digits.startsWith(prefix) ? digits.slice(prefix.length) : digits
  // RFC 6881 ED-67: "The emergency dial strings SHOULD NOT be permitted in call forward numbers"
  if (reserved.has(digits) || reserved.has(bare) || reserved.has(digits.replace(/^\+/, ''))) {
    return void found.problem(at, `${to} is an emergency number: nobody may be forwarded there`, 'Name somebody else.')
  }
  if (!/^\+?[0-9*#]+$/.test(digits)) found.refer(at, to, 'user', new Set(Object.keys(d.users)))
}

/** The outside-line prefix in force for the user. */
function prefixOf(d: ConfigurationDocument, user: User): string | undefined {
  const name = user.dialPlan ?? d.sites[user.site]?.dialPlan ?? d.dialPlan
  const prefix = name === undefined ? undefined : d.dialPlans[name]?.externalPrefix
  return prefix === '' ? undefined : prefix
}
