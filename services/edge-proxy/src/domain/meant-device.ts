/** Whom a URI of ours means: a name as it is dialled, or one device of a user by its GRUU (RFC 5627 6.1). */
import type { RoutePlan } from '@tandem/contracts/routing.ts'
import type { SipUri } from '@tandem/sip/message/message.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'
import type { Bindings } from '../edge.ts'

export interface Meant {
  /** Of a GRUU the user: a temporary one hides him, a public one begins with him. */
  readonly name: string
  /** The only device that is meant. */
  readonly instance: string | undefined
}

/** Undefined: with `gr`, and no GRUU of ours (404). */
export function meantBy(bindings: Pick<Bindings, 'gruu'>, uri: SipUri | undefined): Meant | undefined {
  const device = uri && bindings.gruu(uri)
  if (device === 'unknown') return undefined
  return device ? { name: device.user, instance: device.instance } : { name: nameIn(uri), instance: undefined }
}

export const nameIn = (uri: SipUri | undefined): string => unescapeUser(uri?.user ?? '')

/** RFC 5627 6.1: a GRUU leads to a device, never to a trunk in its place. */
export function branchesFor(
  { instance }: Pick<Meant, 'instance'>,
  branches: RoutePlan['branches'],
): RoutePlan['branches'] {
  if (instance === undefined) return branches
  return branches.map((b) => ({ ...b, attempts: b.attempts.filter((a) => a.kind === 'user') }))
}
