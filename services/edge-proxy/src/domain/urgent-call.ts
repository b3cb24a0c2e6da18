/**
 * Does this INVITE call for help? Asked before anybody is authenticated and before any limit, so it must never miss one:
 * a number that only looks like an emergency number is let through to the router, which decides.
 */
import type { Configuration } from '@tandem/config/defaults.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'

export function isUrgent(request: SipRequest, site: string | undefined, configuration: Configuration): boolean {
  if (request.method !== 'INVITE') return false
  const uri = parseUri(request.uri)
  // RFC 5031: urn:service:sos and its children
  if (uri?.scheme === 'urn') return /^service:sos(\.|$)/i.test(uri.opaque ?? '')
  const dialled = unescapeUser(uri?.user ?? '')
    .replace(/;.*$/, '')
    .replace(/[-.() ]/g, '')
  const { numbers, test } = configuration.emergency
  const known = (digits: string) => numbers.includes(digits) || test.includes(digits)
  if (known(dialled)) return true
  const plan = site === undefined ? undefined : configuration.sites[site]?.dialPlan
  const prefix = plan ? (configuration.dialPlans[plan]?.externalPrefix ?? '') : ''
  return prefix !== '' && dialled.startsWith(prefix) && known(dialled.slice(prefix.length))
}
