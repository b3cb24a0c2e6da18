/** The slow model of numbers: how they are read, normalised and translated, and whose they are. */
import type { Enterprise, OurNumber, Plan, Translation, User } from './enterprise.ts'

/** ITU-T E.164: a plus, no zero in front, 3 to 15 digits. */
export const isNumber = (text: string): boolean => /^\+[1-9][0-9]{2,14}$/.test(text)

/** Punctuation is left out of what is a number at all. */
export const withoutSeparators = (text: string): string =>
  /^\+?[0-9*# .()-]*$/.test(text) ? text.replace(/[ .()-]/g, '') : text

/** The matched part is replaced; what an unanchored pattern leaves stays around it. */
function apply({ match, to }: Translation, text: string): string | undefined {
  const found = new RegExp(match).exec(text)
  if (found === null) return undefined
  let made = ''
  for (let i = 0; i < to.length; i++) {
    const group = to[i] === '$' ? Number(to[i + 1]) : Number.NaN
    if (Number.isNaN(group)) made += to[i]
    else {
      made += found[group] ?? ''
      i++
    }
  }
  return text.slice(0, found.index) + made + text.slice(found.index + found[0].length)
}

function firstMatch<T extends Translation>(rules: readonly T[], text: string): { rule: T; number: string } | undefined {
  for (const rule of rules) {
    const number = apply(rule, text)
    if (number !== undefined) return { rule, number }
  }
  return undefined
}

/** First match wins, no match leaves the number as it is. */
export const translated = (rules: readonly Translation[] | undefined, number: string): string =>
  firstMatch(rules ?? [], number)?.number ?? number

export type Normalised = { number: string; rule?: string }

/** Internal rules; then the others without the external access prefix, if it is there; then the others as dialled. */
export function normalise(plan: Plan | undefined, dialled: string): Normalised {
  const rules = plan?.rules ?? []
  const inner = rules.filter((r) => r.internal === true)
  const others = rules.filter((r) => r.internal !== true)
  const prefix = plan?.externalPrefix ?? ''
  const outside =
    prefix !== '' && dialled.startsWith(prefix) && dialled !== prefix
      ? firstMatch(others, dialled.substring(prefix.length))
      : undefined
  const made = firstMatch(inner, dialled) ?? outside ?? firstMatch(others, dialled)
  return made === undefined ? { number: dialled } : { number: made.number, rule: made.rule.name }
}

/** Scope: user, pool, then site, then global. Who is elsewhere dials as there, if there is a dial plan. */
export function planOf(e: Enterprise, user: User | undefined, here?: string): Plan | undefined {
  const names = [
    ...[user?.dialPlan, e.pools[user?.pool ?? '']?.dialPlan],
    ...[e.sites[here ?? '']?.dialPlan, e.sites[user?.site ?? '']?.dialPlan, e.dialPlan],
  ]
  return e.dialPlans[names.find((n) => n !== undefined) ?? '']
}

/** The DID, or a number beside it. */
export function ownerOf(e: Enterprise, number: string): string | undefined {
  const byDid = Object.keys(e.users).find((name) => e.users[name]?.did === number)
  return byDid ?? e.numbers.find((n) => n.number === number)?.user
}

/** What is said of a number of ours; a single number goes before the range around it. */
export function oursOf(e: Enterprise, number: string): OurNumber | undefined {
  const within = ({ range }: OurNumber) => {
    const [first, last] = (range ?? '').split('-') as [string, string | undefined]
    return last !== undefined && number.length === first.length && first <= number && number <= last
  }
  return e.numbers.find((n) => n.number === number) ?? (isNumber(number) ? e.numbers.find(within) : undefined)
}

/** Somebody's extension: that of the site goes first, one that only one person of the enterprise has is enough. */
export function extensionOf(e: Enterprise, dialled: string, site: string): string | undefined {
  const having = Object.keys(e.users).filter((name) => e.users[name]?.extension === dialled)
  return having.find((name) => e.users[name]?.site === site) ?? (having.length === 1 ? having[0] : undefined)
}

/** A number in a thousand in which we have single numbers is a wrong number. */
export function besideOurs(e: Enterprise, number: string): boolean {
  const dids = Object.values(e.users).flatMap((u) => u.did ?? [])
  const singles = e.numbers.flatMap((n) => n.number ?? [])
  return [...dids, ...singles, ...Object.values(e.emergency.elins).flat()].some(
    (one) => one.slice(0, -3) === number.slice(0, -3),
  )
}

/** A number as carriers of a country write it. Only numbers of London and of North America are dialled here. */
export function asInCountry(written: string, country: 'US' | 'GB'): string | undefined {
  const text = withoutSeparators(written)
  if (text.startsWith('+')) return isNumber(text) ? text : undefined
  if (country === 'US' && /^[2-9]\d\d[2-9]\d{6}$/.test(text)) return `+1${text}`
  if (country === 'GB' && /^0?[1-9]\d{9}$/.test(text)) return `+44${text.replace(/^0/, '')}`
  const world = text.replace(/^(00|011)/, '')
  return /^(1[2-9]\d\d[2-9]\d{6}|4420\d{8})$/.test(world) ? `+${world}` : undefined
}
