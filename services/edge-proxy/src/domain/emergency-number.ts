/**
 * Is this an emergency call? Told by the edge itself from the configuration, with the router or without (location.md L4):
 * the numbers, the same behind a site's outside-line prefix, and the service URN of RFC 5031.
 */
import type { Configuration } from '@tandem/config/schema.ts'

export interface EmergencyDialled {
  /** The number that the PSAP's carrier is sent: 911, whatever was dialled before it. */
  readonly number: string
  /** 933 and the like: the same path, a test call. */
  readonly test: boolean
}

type Numbers = Pick<Configuration, 'emergency' | 'sites' | 'dialPlans' | 'users'>

/** `dialled`: user part of the Request-URI, unescaped; `site` and `user` of the caller where known. */
export function emergencyDialled(
  config: Numbers,
  dialled: string,
  requestUri: string,
  caller: { readonly user?: string | undefined; readonly site?: string | undefined },
): EmergencyDialled | undefined {
  // RFC 5031 4.2: urn:service:sos and its sub-services; 5031 has test services as test.sos (RFC 6881 17)
  const urn = /^urn:service:(test\.)?sos(?:\.[a-z0-9.-]+)?$/i.exec(requestUri)
  if (urn) {
    const test = urn[1] !== undefined
    const number = (test ? config.emergency.test : config.emergency.numbers)[0]
    return { number: number ?? '911', test }
  }
  // as phones write it: visual separators, and digits after the number that a keypad adds (RFC 3966 5.1.1)
  const digits = dialled.replace(/[-.() ]/g, '').split(';', 1)[0] as string
  return match(config, digits) ?? match(config, withoutPrefix(config, digits, caller))
}

/** The same behind the outside-line prefix of any dial plan: of a caller on a trunk no site is known. */
export function soundsUrgent(config: Numbers, dialled: string): boolean {
  if (emergencyDialled(config, dialled, '', {}) !== undefined) return true
  return Object.values(config.dialPlans).some(
    ({ externalPrefix: prefix }) =>
      prefix !== '' &&
      dialled.startsWith(prefix) &&
      emergencyDialled(config, dialled.slice(prefix.length), '', {}) !== undefined,
  )
}

function match(config: Numbers, digits: string | undefined): EmergencyDialled | undefined {
  if (digits === undefined) return undefined
  const bare = digits.startsWith('+') ? digits.slice(1) : digits
  if (config.emergency.numbers.includes(bare)) return { number: bare, test: false }
  if (config.emergency.test.includes(bare)) return { number: bare, test: true }
  return undefined
}

function withoutPrefix(
  config: Numbers,
  digits: string,
  caller: { readonly user?: string | undefined; readonly site?: string | undefined },
): string | undefined {
  const user = caller.user === undefined ? undefined : config.users[caller.user]
  const site = caller.site ?? user?.site
  const plans = [user?.dialPlan, site === undefined ? undefined : config.sites[site]?.dialPlan]
  for (const name of plans) {
    const prefix = name == null ? '' : (config.dialPlans[name]?.externalPrefix ?? '')
    if (prefix !== '' && digits.startsWith(prefix)) return digits.slice(prefix.length)
  }
  return undefined
}
