/** DIDs, extensions, prefixes. */

import type { Findings } from './findings.ts'
import type { ConfigurationDocument } from './schema.ts'
import type { Path } from './source.ts'

export function numberProblems(d: ConfigurationDocument, found: Findings): void {
  dids(d, found)
  dialPlans(d, found)
  times(d, found)
}

function dids(d: ConfigurationDocument, found: Findings): void {
  const numbers = new Map<string, Path>()
  const extensions = new Map<string, Path>()
  const twice = (seen: Map<string, Path>, key: string, at: Path, what: string, instead: string) => {
    const before = seen.get(key)
    if (before) found.problem(at, `${what} belongs to ${String(before[1])} already, at ${found.where(before)}`, instead)
    else seen.set(key, at)
  }
  for (const [name, user] of Object.entries(d.users)) {
    if (user.did)
      twice(numbers, user.did, ['users', name, 'did'], user.did, 'A DID has one user: give this one another.')
    if (user.extension) {
      twice(
        extensions,
        `${user.site} ${user.extension}`,
        ['users', name, 'extension'],
        `extension ${user.extension} of site ${user.site}`,
        'Give this user another extension.',
      )
    }
    if (!user.did && !user.extension) {
      found.warn(
        ['users', name],
        `nobody can call ${name}: no did and no extension`,
        'Add did: "+1…" or extension: "1001".',
        'key',
      )
    }
    if (user.mobile && user.mobile === user.did)
      found.problem(
        ['users', name, 'mobile'],
        'the mobile is the DID: the call would come back',
        'Write the number of the mobile.',
      )
  }
}

function dialPlans(d: ConfigurationDocument, found: Findings): void {
  for (const [plan, { externalPrefix }] of Object.entries(d.dialPlans)) {
    const emergency = d.emergency.numbers.find(
      (n) => externalPrefix !== undefined && n.startsWith(externalPrefix) && n.length - externalPrefix.length <= 1,
    )
    if (emergency)
      found.warn(
        ['dialPlans', plan, 'externalPrefix'],
        `${externalPrefix} is nearly all of ${emergency}`,
        'Choose another prefix.',
      )
  }
}

function times(d: ConfigurationDocument, found: Findings): void {
  if (d.timeZone === undefined) return
  try {
    new Intl.DateTimeFormat('en', { timeZone: d.timeZone })
  } catch {
    found.problem(['timeZone'], `${d.timeZone} is not a time zone`, 'Write an IANA name, as America/Los_Angeles.')
  }
}
