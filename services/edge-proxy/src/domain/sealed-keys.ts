/**
 * Descriptions that hold keys of media, sealed in the record of a held call: who reads the store of the bus, or a copy of
 * its disk, learns no key. A record without keys stays as it is.
 *
 *   v=0 … a=crypto:1 … inline:…   <->   sealed:1:base64url(nonce | AES-256-GCM | tag)
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import type { HeldCall, HeldLeg } from '@tandem/contracts/held-call.ts'

/** RFC 4568 (SDES), RFC 8839 5.4 (ICE), RFC 4567 (MIKEY and others), RFC 4566 5.12 (obsolete, and still a key). */
const KEYS = /^(?:a=(?:crypto|ice-pwd|key-mgmt):|k=)/m
const SEALED = 'sealed:1:'
const NONCE = 12
const TAG = 16

/** `secret`: of the edges that may take the call over; undefined: there is none, and nothing is sealed. */
export function sealKeys(call: HeldCall, secret: KeyObject | undefined): HeldCall {
  if (secret === undefined || !hasKeys(call)) return call
  return each(call, (text, place) => (KEYS.test(text) ? seal(text, place, secret) : text))
}

/** What cannot be opened is left out: the call goes on as far as it can without. */
export function openKeys(call: HeldCall, secret: KeyObject): HeldCall {
  return each(call, (text, place) => (text.startsWith(SEALED) ? open(text, place, secret) : text))
}

export function hasKeys(call: HeldCall): boolean {
  return call.legs.some(({ heard = '', said = '' }) => KEYS.test(heard) || KEYS.test(said))
}

/** `place` binds a text to where it stands: a sealed one is of no use anywhere else. */
function each(call: HeldCall, change: (text: string, place: string) => string | undefined): HeldCall {
  const legs = call.legs.map(({ heard, said, ...leg }): HeldLeg => {
    const at = (what: string, text: string | undefined) =>
      text === undefined ? undefined : change(text, `${call.callId}/${leg.legId}/${what}`)
    const [changedHeard, changedSaid] = [at('heard', heard), at('said', said)]
    return {
      ...leg,
      ...(changedHeard === undefined ? {} : { heard: changedHeard }),
      ...(changedSaid === undefined ? {} : { said: changedSaid }),
    }
  })
  return { ...call, legs }
}

function seal(text: string, place: string, secret: KeyObject): string {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', keyFrom(secret), nonce).setAAD(Buffer.from(place))
  const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return SEALED + Buffer.concat(sealed).toString('base64url')
}

function open(text: string, place: string, secret: KeyObject): string | undefined {
  const bytes = Buffer.from(text.slice(SEALED.length), 'base64url')
  if (bytes.length < NONCE + TAG) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyFrom(secret), bytes.subarray(0, NONCE), { authTagLength: TAG })
      .setAAD(Buffer.from(place))
      .setAuthTag(bytes.subarray(-TAG))
    return decipher.update(bytes.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8')
  } catch {
    // another secret, or not written by an edge of this cluster
    return undefined
  }
}

const derived = new WeakMap<KeyObject, KeyObject>()

/** RFC 5869: a key for this use alone, derived once a secret. */
function keyFrom(secret: KeyObject): KeyObject {
  let key = derived.get(secret)
  if (key === undefined) {
    key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', 'tandem held call', 32)))
    derived.set(secret, key)
  }
  return key
}
