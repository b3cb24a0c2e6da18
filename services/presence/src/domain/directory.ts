/** Who is who in the configuration, as presence needs it. */
import type { Configuration } from '@tandem/config/schema.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { Directory } from './mobile.ts'
import type { Coverage } from './show.ts'

export interface PresenceDirectory extends Directory {
  /** Every user, with how much of the calls on the mobile we can see. */
  readonly users: ReadonlyMap<string, Coverage>
  /** User of a name, DID or extension, as they stand in the user part of a Request-URI. */
  findUser(presentity: string): string | undefined
  /** Address of record. */
  entity(user: string): string
}

export function directoryOf(configuration: Configuration): PresenceDirectory {
  const users = new Map<string, Coverage>()
  const mobiles = new Map<string, string>()
  const numbers = new Map<string, string>()
  for (const user of Object.values(configuration.users)) {
    // calls that never touch our trunks are seen only with an operator's feed, so `full` is not claimed
    users.set(user.name, user.mobile === null ? 'none' : 'trunk-only')
    if (user.mobile !== null) mobiles.set(user.mobile, user.name)
    if (user.did !== null) numbers.set(user.did, user.name)
    if (user.extension !== null) numbers.set(user.extension, user.name)
  }
  const e164 = (number: string, trunk?: string) =>
    toE164(number, { country: configuration.trunks[trunk ?? '']?.country ?? configuration.country })
  return {
    users,
    ownerOfMobile: (number) => mobiles.get(number),
    trusts: (trunk) => configuration.trunks[trunk]?.trusted ?? false,
    e164,
    entity: (user) => `sip:${user}@${configuration.domain}`,
    findUser: (presentity) => {
      if (users.has(presentity)) return presentity
      const number = e164(presentity)
      return numbers.get(presentity) ?? (number === undefined ? undefined : numbers.get(number))
    },
  }
}
