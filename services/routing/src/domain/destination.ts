import { type DialPlan, type Normalised, noDialPlan, normalise } from '@tandem/numbers/dial-plan.ts'
import { isE164 } from '@tandem/numbers/e164.ts'
import { brief, type Circumstances } from './circumstances.ts'
import type { OurNumber } from './inventory.ts'
import type { RoutedSite, RoutedUser, RoutingTable } from './table.ts'

/** Whom it is that somebody of ours dials. */
export type Destination =
  /** `number`: E.164 by which the user was meant, else the user's own. `normalised`: none when dialled by name. */
  | {
      readonly kind: 'user'
      readonly user: RoutedUser
      readonly normalised: Normalised | undefined
      readonly number: string | undefined
    }
  /** A number of ours that nobody has. */
  | { readonly kind: 'unassigned'; readonly normalised: Normalised; readonly entry: OurNumber }
  | { readonly kind: 'elsewhere'; readonly normalised: Normalised }
  | { readonly kind: 'none'; readonly status: 404 | 484; readonly reason: string }

/** `scope`: why it is this dial plan. `site`: where extensions are looked for first. */
export type Dialling = {
  readonly dialled: string
  readonly dialPlan: DialPlan
  readonly scope: string
  readonly site: string
}

/** Scopes of R1: the user's own dial plan, else that of the pool, of the site where the call comes from, the home site's, the global. */
export function scopeOf(user: RoutedUser | undefined, here: RoutedSite | undefined, table: RoutingTable) {
  const home = user === undefined ? undefined : table.sites.get(user.site)
  if (user?.dialPlan !== undefined) return { dialPlan: user.dialPlan, scope: user.dialPlanFrom }
  if (here?.dialPlan !== undefined) return { dialPlan: here.dialPlan, scope: `of site ${here.name}` }
  if (home?.dialPlan !== undefined) return { dialPlan: home.dialPlan, scope: `of home site ${home.name}` }
  if (table.dialPlan !== undefined) return { dialPlan: table.dialPlan, scope: 'the global one' }
  return { dialPlan: noDialPlan, scope: 'there is none' }
}

/** A user by name, number or extension; a number of ours that nobody has; else a number elsewhere. */
export function destinationOf(call: Dialling, table: RoutingTable, c: Circumstances): Destination {
  const { dialled } = call
  if (dialled === '') return { kind: 'none', status: 484, reason: 'Nothing was dialled.' }
  const named = table.users.get(dialled)
  if (named !== undefined) return met({ kind: 'user', user: named, normalised: undefined, number: named.did }, c)
  const normalised = normaliseFor(call, c)
  const { number } = normalised
  const owner = table.dids.get(number)
  if (owner !== undefined) return met({ kind: 'user', user: owner, normalised, number }, c)
  const full = isE164(number)
  const near = extensionOf(dialled, call.site, table)
  if (near !== undefined)
    return met({ kind: 'user', user: near, normalised, number: near.did ?? (full ? number : undefined) }, c)
  const entry = full ? table.inventory.find(number) : undefined
  if (entry !== undefined) return { kind: 'unassigned', normalised, entry }
  c.note?.('destination', brief(number), 'no-match', 'is no number, extension or name of ours')
  return full ? { kind: 'elsewhere', normalised } : notANumber(call, number)
}

function met(found: Destination & { kind: 'user' }, { note }: Circumstances): Destination {
  const by = found.normalised === undefined ? 'by name' : `by ${brief(found.normalised.number)}`
  note?.('destination', `user ${found.user.name}`, 'matched', by)
  return found
}

/** That of the site goes first; one that only one user of the enterprise has is enough. */
export function extensionOf(
  dialled: string,
  site: string,
  { extensions, soleExtensions }: Pick<RoutingTable, 'extensions' | 'soleExtensions'>,
): RoutedUser | undefined {
  return extensions.get(`${site} ${dialled}`) ?? soleExtensions.get(dialled)
}

function normaliseFor({ dialled, dialPlan, scope }: Dialling, { note }: Circumstances): Normalised {
  if (note === undefined) return normalise(dialPlan, dialled)
  const prefix = dialPlan.externalPrefix === '' ? '' : `, outside line ${dialPlan.externalPrefix}`
  note('normalisation', `dial plan ${dialPlan.name}`, 'note', `${scope}${prefix}`)
  const normalised = normalise(dialPlan, dialled, (pass, rule, digits, result) => {
    const detail =
      result === undefined
        ? `${rule.pattern.source} does not match ${brief(digits)}`
        : `${rule.pattern.source} makes ${brief(result)} of ${brief(digits)}`
    note('normalisation', `${passes[pass]}: rule ${rule.name}`, result === undefined ? 'no-match' : 'matched', detail)
  })
  if (normalised.kind === 'unmatched')
    note('normalisation', `dial plan ${dialPlan.name}`, 'note', `${brief(dialled)} is left alone`)
  return normalised
}

const passes = { internal: 'internal rules', outside: 'after the outside-line prefix', plain: 'as dialled' } as const

/** R2: not a number after normalisation is 484; a name that nobody has is 404. */
function notANumber({ dialled, dialPlan }: Dialling, number: string): Destination {
  if (/[^0-9*#+]/.test(dialled)) {
    return { kind: 'none', status: 404, reason: `There is no user ${brief(dialled)} here.` }
  }
  const plan = dialPlan.name === '' ? 'there is no dial plan that could' : `dial plan ${dialPlan.name} does not`
  const made = number === dialled ? '' : ` (${brief(number)})`
  const reason = `${brief(dialled)} is not a complete number: ${plan} make an E.164 number of it${made}.`
  return { kind: 'none', status: 484, reason }
}
