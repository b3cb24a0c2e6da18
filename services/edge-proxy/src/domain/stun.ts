/**
 * STUN as SIP uses it on its own UDP port (RFC 5626 4.4.2 and 8, RFC 5389): Binding requests and their answers, nothing
 * else. Text comes from the network: what is no STUN gives undefined, nothing throws.
 *
 *   0 1 2 3 …  type (2) · length (2) · magic cookie (4) · transaction id (12) · attributes
 */
import ipaddr from 'ipaddr.js'

const HEADER = 20
const COOKIE = 0x2112a442
const BINDING_REQUEST = 0x0001
const BINDING_SUCCESS = 0x0101
const BINDING_ERROR = 0x0111
const ERROR_CODE = 0x0009
const UNKNOWN_ATTRIBUTES = 0x000a
const XOR_MAPPED_ADDRESS = 0x0020
/** Attributes below it must be understood (RFC 5389 15). */
const OPTIONAL = 0x8000
/** USERNAME, MESSAGE-INTEGRITY, REALM, NONCE: understood and of no use here (RFC 5626 8 asks for no credentials). */
const IGNORED = new Set([0x0006, 0x0008, 0x0014, 0x0015])
const MAX_UNKNOWN = 16

export interface StunMessage {
  readonly kind: 'request' | 'success' | 'error'
  /** 12 bytes, hex. */
  readonly id: string
  /** address:port as the server saw us. */
  readonly mapped: string | undefined
  /** Attributes that must be understood and are not. */
  readonly unknown: readonly number[]
}

/** RFC 5626 8: the first octet of a STUN Binding message is 0 or 1, that of a SIP message never is. */
export function looksLikeStun(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER && (bytes[0] as number) <= 1
}

export function readStun(bytes: Buffer): StunMessage | undefined {
  if (bytes.length < HEADER || bytes.readUInt32BE(4) !== COOKIE) return undefined
  const type = bytes.readUInt16BE(0)
  const length = bytes.readUInt16BE(2)
  if (length % 4 !== 0 || length !== bytes.length - HEADER) return undefined
  const kind =
    type === BINDING_REQUEST
      ? 'request'
      : type === BINDING_SUCCESS
        ? 'success'
        : type === BINDING_ERROR
          ? 'error'
          : undefined
  if (kind === undefined) return undefined
  let mapped: string | undefined
  const unknown: number[] = []
  for (let at = HEADER; at + 4 <= bytes.length; ) {
    const attribute = bytes.readUInt16BE(at)
    const size = bytes.readUInt16BE(at + 2)
    if (at + 4 + size > bytes.length) return undefined
    if (attribute === XOR_MAPPED_ADDRESS) mapped = readMapped(bytes, at + 4, size)
    else if (kind === 'request' && attribute < OPTIONAL && !IGNORED.has(attribute) && unknown.length < MAX_UNKNOWN) {
      unknown.push(attribute)
    }
    at += 4 + size + ((4 - (size % 4)) % 4)
  }
  return { kind, id: bytes.toString('hex', 8, HEADER), mapped, unknown }
}

/** `id`: 12 random bytes, hex. */
export function bindingRequest(id: string): Buffer {
  return message(BINDING_REQUEST, id, [])
}

/** RFC 5389 7.3.1: success with XOR-MAPPED-ADDRESS, or 420 where something was to be understood. */
export function bindingAnswer(request: StunMessage, address: string, port: number): Buffer {
  if (request.unknown.length === 0) {
    return message(BINDING_SUCCESS, request.id, [[XOR_MAPPED_ADDRESS, writeMapped(request.id, address, port)]])
  }
  const code = Buffer.concat([Buffer.from([0, 0, 4, 20]), Buffer.from('Unknown Attribute')])
  const list = Buffer.alloc(request.unknown.length * 2)
  for (const [i, attribute] of request.unknown.entries()) list.writeUInt16BE(attribute, i * 2)
  return message(BINDING_ERROR, request.id, [
    [ERROR_CODE, code],
    [UNKNOWN_ATTRIBUTES, list],
  ])
}

function message(type: number, id: string, attributes: readonly (readonly [number, Buffer])[]): Buffer {
  const parts = attributes.map(([attribute, value]) => {
    const padded = Buffer.alloc(4 + value.length + ((4 - (value.length % 4)) % 4))
    padded.writeUInt16BE(attribute, 0)
    padded.writeUInt16BE(value.length, 2)
    value.copy(padded, 4)
    return padded
  })
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(HEADER)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(body.length, 2)
  head.writeUInt32BE(COOKIE, 4)
  head.write(id, 8, 12, 'hex')
  return Buffer.concat([head, body])
}

// RFC 5389 15.2: port XOR the high half of the cookie; address XOR cookie (and, IPv6, transaction id)
function writeMapped(id: string, address: string, port: number): Buffer {
  const bytes = addressBytes(address)
  const value = Buffer.alloc(4 + bytes.length)
  value[1] = bytes.length === 16 ? 2 : 1
  value.writeUInt16BE(port ^ (COOKIE >>> 16), 2)
  const mask = maskOf(id)
  for (let i = 0; i < bytes.length; i++) value[4 + i] = (bytes[i] as number) ^ (mask[i] as number)
  return value
}

function readMapped(bytes: Buffer, at: number, size: number): string | undefined {
  const length = size === 8 && bytes[at + 1] === 1 ? 4 : size === 20 && bytes[at + 1] === 2 ? 16 : undefined
  if (length === undefined) return undefined
  const mask = maskOf(bytes.toString('hex', 8, HEADER))
  const address = Array.from({ length }, (_, i) => (bytes[at + 4 + i] as number) ^ (mask[i] as number))
  const port = bytes.readUInt16BE(at + 2) ^ (COOKIE >>> 16)
  return `${length === 4 ? address.join('.') : `[${Buffer.from(address).toString('hex')}]`}:${port}`
}

function maskOf(id: string): Buffer {
  const mask = Buffer.alloc(16)
  mask.writeUInt32BE(COOKIE, 0)
  mask.write(id, 4, 12, 'hex')
  return mask
}

function addressBytes(address: string): readonly number[] {
  return ipaddr.process(address).toByteArray()
}
