/**
 * What crosses from one side of a call to the other besides the description. Everything that is not named here stays
 * where it came from: a back-to-back user agent shows each side itself, not the other (edge.md E10).
 */
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'

type Fields = [string, string][]

/** None of these names an address, a host or a dialog of its sender. */
const IN_INVITE = ['Subject', 'Priority', 'Accept-Language', 'User-to-User', 'P-Early-Media']
const IN_RESPONSE = ['P-Early-Media', 'Reason', 'Accept-Language']
const IN_INFO = ['Info-Package', 'Content-Disposition']
const MAX_VALUE = 1024
/** RFC 7090 5.3: a call that is not known to come from a PSAP loses its mark (on-callback.ts gives it to those that may). */
const CALLBACK = /^\s*psap-callback\s*$/i

export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY'
/** Option tags inside a call (RFC 4028, 3891, 4488). */
export const SUPPORTED = 'timer, replaces, norefersub'

export const passInvite = (message: SipMessage): Fields => [
  ...pick(message, IN_INVITE).filter(([name, value]) => name !== 'Priority' || !CALLBACK.test(value)),
  ...noPrivacy(message),
]
export const passResponse = (message: SipMessage): Fields => pick(message, IN_RESPONSE)
export const passInfo = (message: SipMessage): Fields => pick(message, IN_INFO)
/** RFC 3326: why a call was hung up or given up. */
export const passReason = (message: SipMessage): Fields => pick(message, ['Reason'])

function pick(message: SipMessage, names: readonly string[]): Fields {
  const found: Fields = []
  for (const name of names) {
    for (const value of message.headers.getAll(name)) if (value.length <= MAX_VALUE) found.push([name, value])
  }
  return found
}

/** RFC 3323 5: with `none` nothing may be withheld, and the field MUST NOT be removed. */
function noPrivacy(message: SipMessage): Fields {
  return message.headers.get('privacy')?.trim().toLowerCase() === 'none' ? [['Privacy', 'none']] : []
}

/** RFC 7090 4: the call says of itself that it is one back to somebody who called for help. */
export function marksCallback(message: SipMessage): boolean {
  return CALLBACK.test(message.headers.get('priority') ?? '')
}

/** RFC 3311 5.1: may UPDATE be sent to this peer? */
export function allowsUpdate(message: SipMessage): boolean {
  for (const value of message.headers.getAll('allow')) if (/(?:^|[\s,])UPDATE(?:$|[\s,])/.test(value)) return true
  return false
}

/** RFC 3323, RFC 3325 7: the caller wants its identity withheld. */
export function asksPrivacy(request: SipRequest): boolean {
  return request.headers.getAll('privacy').some((value) => /(?:^|[\s;,])(id|user|header|full)(?:$|[\s;,])/i.test(value))
}
