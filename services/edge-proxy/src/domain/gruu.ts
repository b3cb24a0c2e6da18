/**
 * GRUUs (RFC 5627): URIs that lead to one device of a user. A public one is the address of record with the instance; a
 * temporary one shows nothing: it is the sealed name of a session of registrations (AOR, instance, Call-ID), so that any
 * number of them needs no memory.
 */
import { type CipherKey, createCipheriv, createDecipheriv } from 'node:crypto'
import type { SipUri } from '@tandem/sip/message/message.ts'
import { unescapeUser } from '@tandem/sip/message/uri.ts'

const PREFIX = 'tgruu.'
const IV_BYTES = 12
const TAG_BYTES = 12
/** Of a session's name. */
export const SESSION_BYTES = 12
/** RFC 3261 25.1: characters of a parameter value that need no escape. */
const PLAIN = /^[A-Za-z0-9\-_.!~*'()[\]/:&+$]{1,256}$/

/** Undefined for an instance that cannot stand in a URI. `aor`: user@host as it was registered. */
export function publicGruu(aor: string, instance: string): string | undefined {
  const gr = instanceId(instance)
  return PLAIN.test(gr) ? `sip:${aor};gr=${gr}` : undefined
}

/** `key`: 32 bytes of this edge; `iv`: 12 fresh random bytes; `session`: 12 bytes, hex. */
export function temporaryGruu(key: CipherKey, iv: Uint8Array, session: string, domain: string): string {
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  const sealed = Buffer.concat([iv, cipher.update(Buffer.from(session, 'hex')), cipher.final(), cipher.getAuthTag()])
  return `sip:${PREFIX}${sealed.toString('base64url')}@${domain};gr`
}

export type Gruu =
  | { readonly kind: 'public'; readonly user: string; readonly instance: string }
  | { readonly kind: 'temporary'; readonly session: string }
  /** RFC 5627 6.1: it looks like one of ours and is not: 404. */
  | { readonly kind: 'invalid' }

/** Undefined: no GRUU of this domain. */
export function readGruu(key: CipherKey, uri: SipUri, domain: string): Gruu | undefined {
  const gr = uri.params.get('gr')
  if (gr === undefined || uri.host !== domain.toLowerCase() || uri.user === undefined) return undefined
  if (gr !== '') return { kind: 'public', user: unescapeUser(uri.user), instance: `<${gr}>` }
  const session = uri.user.startsWith(PREFIX) ? unseal(key, uri.user.slice(PREFIX.length)) : undefined
  return session === undefined ? { kind: 'invalid' } : { kind: 'temporary', session }
}

function unseal(key: CipherKey, text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== IV_BYTES + SESSION_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAuthTag(bytes.subarray(IV_BYTES + SESSION_BYTES))
  try {
    const open = decipher.update(bytes.subarray(IV_BYTES, IV_BYTES + SESSION_BYTES))
    return Buffer.concat([open, decipher.final()]).toString('hex')
  } catch {
    // forged, or of another edge
    return undefined
  }
}

const instanceId = (instance: string): string => instance.replace(/^<|>$/g, '')
