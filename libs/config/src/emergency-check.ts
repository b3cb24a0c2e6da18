/** A configuration with which 911 would not get out is refused (routing.md R7): nobody notices until it matters. */
import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'

/** The number that must work in a country, where we know it. */
const NATIONAL: Readonly<Record<string, string>> = {
  US: '911',
  CA: '911',
  MX: '911',
  GB: '999',
  AU: '000',
  NZ: '111',
  IN: '112',
  JP: '119',
}

export function emergencyProblems(d: ConfigurationDocument, found: Findings): void {
  const e = d.emergency
  const country = d.country ?? 'US'
  const national = NATIONAL[country] ?? '112'
  if (!e.numbers.includes(national)) {
    found.problem(
      ['emergency', 'numbers'],
      `${national} does not reach emergency services in ${country}`,
      `Add "${national}" to emergency.numbers.`,
    )
  }
  let able = 0
  for (const [i, name] of e.trunks.entries()) {
    const trunk = d.trunks[name]
    if (!trunk) {
      found.refer(['emergency', 'trunks', i], name, 'trunk', new Set(Object.keys(d.trunks)))
    } else if (trunk.emergency !== true) {
      found.problem(
        ['emergency', 'trunks', i],
        `trunk ${name} may not carry emergency calls`,
        `Add emergency: true to trunks.${name}, or take it out here.`,
      )
    } else able++
  }
  if (able === 0) {
    found.problem(
      ['emergency', 'trunks'],
      `no trunk carries ${national}: emergency calls would not get out`,
      'Give at least one trunk emergency: true and list it here.',
    )
  } else if (able === 1 && e.relayCentre === undefined) {
    found.warn(['emergency', 'trunks'], 'one trunk carries all emergency calls', 'Add a second trunk or a relayCentre.')
  }
  shadows(d, found)
  callbacks(d, found)
  elins(d, found)
}

/** Emergency numbers are matched first, so anything else with the same digits could never be dialled. */
function shadows(d: ConfigurationDocument, found: Findings): void {
  const reserved = new Set([...d.emergency.numbers, ...(d.emergency.test ?? [])])
  for (const [name, user] of Object.entries(d.users)) {
    if (user.extension && reserved.has(user.extension)) {
      found.problem(
        ['users', name, 'extension'],
        `${user.extension} is an emergency number`,
        'Give the user another extension.',
      )
    }
  }
  for (const [i, number] of (d.emergency.test ?? []).entries()) {
    if (d.emergency.numbers.includes(number)) {
      found.problem(
        ['emergency', 'test', i],
        `${number} is both an emergency and a test number`,
        'Keep it in emergency.numbers only.',
      )
    }
  }
}

/** 47 CFR 9.16(b)(2): who answers 911 is told a number by which the caller is reached. */
function callbacks(d: ConfigurationDocument, found: Findings): void {
  for (const name in d.users) {
    const user = d.users[name] as ConfigurationDocument['users'][string]
    if (user.did || user.emergencyCallback || user.callerId) continue
    if (d.sites[user.site]?.emergencyCallback || d.emergency.elins?.[user.site]) continue
    found.warn(
      ['users', name],
      `emergency services could not call ${name} back`,
      `Add did or emergencyCallback to ${name}, or emergencyCallback to site ${user.site}.`,
      'key',
    )
  }
}

function elins(d: ConfigurationDocument, found: Findings): void {
  const places = new Set([...Object.keys(d.sites), ...Object.keys(d.locations ?? {})])
  const users = new Map(Object.entries(d.users).flatMap(([name, u]) => (u.did ? [[u.did, name] as const] : [])))
  const seen = new Map<string, readonly (string | number)[]>()
  for (const [place, numbers] of Object.entries(d.emergency.elins ?? {})) {
    const section = ['emergency', 'elins', place]
    if (!places.has(place))
      found.problem(
        section,
        `there is no site or location ${place}`,
        `Known: ${[...places].slice(0, 8).join(', ')}.`,
        'key',
      )
    for (const [i, number] of numbers.entries()) {
      const at = [...section, i]
      const owner = users.get(number)
      const before = seen.get(number)
      if (owner)
        found.problem(
          at,
          `${number} is the DID of ${owner}: a call back would not reach the caller`,
          'Use a number that nobody has.',
        )
      if (before) found.problem(at, `${number} is an ELIN twice`, `The other is at ${found.where(before)}: keep one.`)
      seen.set(number, at)
    }
  }
}
