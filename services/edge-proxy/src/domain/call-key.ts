/**
 * The user part of our Contact: the call's id and a proof that an edge of this cluster wrote it. Requests inside a dialog
 * carry it in their Request-URI, so that an edge which does not know the dialog can load its call; who makes one up gets
 * no question asked of anybody. The id is random and says nothing about the house.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** 96 bits in base64url. */
const PROOF_LENGTH = 16
/** What stands behind it leads back through the edge of a phone (flow-token.ts). */
const KEY = /^([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{16})(?:\.[A-Za-z0-9_-]{1,512})?$/

export function writeCallKey(callId: string, secret: KeyObject): string {
  return `${callId}.${proofOf(callId, secret)}`
}

/** Both legs of a call are written with one key: those of the calls of this moment are at hand. */
const AT_HAND = 256

/** `secret`: that of the cluster, as it is now. */
export function callKeys(secret: () => KeyObject): (callId: string) => string {
  const keys = new Map<string, string>()
  let madeWith: KeyObject | undefined
  return (callId) => {
    if (madeWith !== secret()) keys.clear()
    madeWith = secret()
    const known = keys.get(callId)
    if (known !== undefined) return known
    if (keys.size >= AT_HAND) for (const oldest of keys.keys()) if (keys.delete(oldest)) break
    const key = writeCallKey(callId, madeWith)
    keys.set(callId, key)
    return key
  }
}

/** The call's id; undefined when no edge of this cluster wrote it. */
export function readCallKey(user: string, secret: KeyObject): string | undefined {
  const [, callId, proof] = KEY.exec(user) ?? []
  if (callId === undefined || proof === undefined) return undefined
  return timingSafeEqual(Buffer.from(proof), Buffer.from(proofOf(callId, secret))) ? callId : undefined
}

function proofOf(callId: string, secret: KeyObject): string {
  return createHmac('sha256', secret).update(callId).digest('base64url').slice(0, PROOF_LENGTH)
}
