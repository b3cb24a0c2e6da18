/**
 * What lets one edge reach a phone whose flow ends at another (RFC 5626 5.2, docs/adr/0120). Both are proven by the secret
 * of the cluster:
 *
 *   flow token   user part of the Route to the edge that has the flow: binding, life of that edge, proof
 *   return       last part of the Contact that the phone gets: the edge that has the call, sealed, so that the phone's
 *                requests inside the dialog come over its flow and go on from there, and nobody reads an address
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto'

/** 96 bits in base64url. */
const PROOF_LENGTH = 16
const IV_BYTES = 12
const TAG_BYTES = 12
const ID = '[A-Za-z0-9_-]{1,64}'
const TOKEN = new RegExp(`^flow\\.(${ID})\\.(${ID})\\.([A-Za-z0-9_-]{16})$`)
/** A call key (call-key.ts) and what is behind it. */
const SEALED = /^sips?:([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{16}\.([A-Za-z0-9_-]{32,512})@/

/** `life`: of the edge that has the flow: a token ends with it. */
export function writeFlowToken(bindingId: string, life: string, secret: KeyObject): string {
  return `flow.${bindingId}.${life}.${proofOf(bindingId, life, secret)}`
}

export type FlowToken =
  | { readonly kind: 'flow'; readonly bindingId: string; readonly life: string }
  /** RFC 5626 5.3.1: "If the flow token has been tampered with, the proxy SHOULD send a 403". */
  | { readonly kind: 'forged' }

/** Undefined: no flow token at all. */
export function readFlowToken(user: string, secret: KeyObject): FlowToken | undefined {
  if (!user.startsWith('flow.')) return undefined
  const [, bindingId, life, proof] = TOKEN.exec(user) ?? []
  if (bindingId === undefined || life === undefined || proof === undefined) return { kind: 'forged' }
  const right = timingSafeEqual(Buffer.from(proof), Buffer.from(proofOf(bindingId, life, secret)))
  return right ? { kind: 'flow', bindingId, life } : { kind: 'forged' }
}

function proofOf(bindingId: string, life: string, secret: KeyObject): string {
  const text = `flow ${bindingId} ${life}`
  return createHmac('sha256', secret).update(text).digest('base64url').slice(0, PROOF_LENGTH)
}

/** Where an edge takes what comes back from a phone at another edge. */
export interface Return {
  readonly edge: string
  readonly transport: 'UDP' | 'TCP'
  readonly address: string
  readonly port: number
}

/** `iv`: 12 fresh random bytes. The seal is good for this call only. */
export function sealReturn(to: Return, callId: string, iv: Uint8Array, secret: KeyObject): string {
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secret), iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(callId))
  const text = [to.edge, to.transport, to.address, to.port].join(' ')
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** Of a Request-URI; undefined: none, or no edge of this cluster wrote it for that call. */
export function readReturn(uri: string, secret: KeyObject): Return | undefined {
  const [, callId, text] = SEALED.exec(uri) ?? []
  if (callId === undefined || text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(secret), bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(callId))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const open = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
    const [edge = '', transport, address = '', port] = open.toString('utf8').split(' ')
    return { edge, transport: transport === 'TCP' ? 'TCP' : 'UDP', address, port: Number(port) }
  } catch {
    return undefined
  }
}

/** A request that came through the edge of its phone: where it came from is not where the phone is. */
export function cameThrough(uri: string): boolean {
  return SEALED.test(uri)
}

const derived = new WeakMap<KeyObject, Map<string, KeyObject>>()

/** 32 bytes for one purpose only; made once. */
export function derivedKey(purpose: string, secret: KeyObject): KeyObject {
  const keys = derived.get(secret) ?? new Map<string, KeyObject>()
  derived.set(secret, keys)
  const known = keys.get(purpose)
  if (known) return known
  const made = createSecretKey(createHmac('sha256', secret).update(`tandem ${purpose}`).digest())
  keys.set(purpose, made)
  return made
}

const sealingKey = (secret: KeyObject): KeyObject => derivedKey('return', secret)
