/**
 * A captured SIP message as a packet of HEP version 3, as Homer and other collectors take it ("HEP3 Network Protocol
 * Specification", sipcapture): `HEP3`, the length of all, then chunks of vendor (0: generic), type, length and value.
 */
import type { CapturedMessage } from '@tandem/contracts/call.ts'
import ipaddr from 'ipaddr.js'

const FAMILY = 0x01
const PROTOCOL = 0x02
const IPV4_SOURCE = 0x03
const IPV4_TARGET = 0x04
const IPV6_SOURCE = 0x05
const IPV6_TARGET = 0x06
const SOURCE_PORT = 0x07
const TARGET_PORT = 0x08
const SECONDS = 0x09
const MICROSECONDS = 0x0a
const PROTOCOL_TYPE = 0x0b
const AGENT = 0x0c
const AUTH_KEY = 0x0e
const PAYLOAD = 0x0f
const CORRELATION = 0x11

/** AF_INET and AF_INET6 as Linux counts them: what collectors expect. */
const FAMILIES = { 4: 2, 16: 10 } as const
const UDP = 17
const TCP = 6
const SIP = 1
/** Bytes of a message: with all other chunks it fits into one datagram (65,507 over IPv4). */
const MAX_PAYLOAD = 63_000
const MAX_KEY = 255

export interface HepAgent {
  /** Capture agent id, 32 bits. */
  readonly id: number
  /** Shared with the collector. */
  readonly authKey: string | undefined
}

/**
 * Pure. `us`: µs since 1970. The correlation id is the call's own, one for all its legs. An address that cannot be read
 * (a name in `advertise`) is told as 0.0.0.0 or ::.
 */
export function hepPacket(message: CapturedMessage, us: number, agent: HepAgent): Buffer {
  const sent = message.direction === 'sent'
  const [local, remote] = sameFamily(readSocket(message.local), readSocket(message.remote))
  const [source, target] = sent ? [local, remote] : [remote, local]
  const six = source.address.length === 16
  // any order is right; this one is that of captagent and Kamailio, which some readers (older sngrep) take for granted
  const chunks = [
    chunk(FAMILY, byte(FAMILIES[six ? 16 : 4])),
    // TLS and WebSocket are streams of TCP
    chunk(PROTOCOL, byte(message.transport === 'UDP' ? UDP : TCP)),
    chunk(SOURCE_PORT, word(source.port)),
    chunk(TARGET_PORT, word(target.port)),
    chunk(SECONDS, long(Math.floor(us / 1e6))),
    chunk(MICROSECONDS, long(Math.floor(us % 1e6))),
    chunk(PROTOCOL_TYPE, byte(SIP)),
    chunk(AGENT, long(agent.id)),
    chunk(six ? IPV6_SOURCE : IPV4_SOURCE, source.address),
    chunk(six ? IPV6_TARGET : IPV4_TARGET, target.address),
    ...(agent.authKey === undefined ? [] : [chunk(AUTH_KEY, Buffer.from(agent.authKey).subarray(0, MAX_KEY))]),
    chunk(PAYLOAD, Buffer.from(message.text).subarray(0, MAX_PAYLOAD)),
    chunk(CORRELATION, Buffer.from(message.callId).subarray(0, MAX_KEY)),
  ]
  const length = chunks.reduce((sum, { length }) => sum + length, 6)
  return Buffer.concat([Buffer.from('HEP3'), word(length), ...chunks], length)
}

/** The length counts the six bytes of its head. */
function chunk(type: number, value: Uint8Array): Buffer {
  return Buffer.concat([word(0), word(type), word(6 + value.length), value])
}

const byte = (value: number) => Buffer.from([value])

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value % 2 ** 32)
  return bytes
}

interface SocketAddress {
  readonly address: Uint8Array
  readonly port: number
}

/** `192.0.2.1:5060`, `[2001:db8::1]:5060`, `2001:db8::1:5060` (the last colon parts the port). */
function readSocket(written: string): SocketAddress {
  const at = written.lastIndexOf(':')
  const host = written.slice(0, Math.max(at, 0)).replace(/^\[|\]$/g, '')
  const port = Number(written.slice(at + 1))
  return {
    // process: an IPv4 address that a dual-stack socket shows as IPv6 is told as what it is
    address: Uint8Array.from(ipaddr.isValid(host) ? ipaddr.process(host).toByteArray() : [0, 0, 0, 0]),
    port: Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : 0,
  }
}

function sameFamily(a: SocketAddress, b: SocketAddress): [SocketAddress, SocketAddress] {
  return a.address.length === b.address.length ? [a, b] : [six(a), six(b)]
}

/** RFC 4291 2.5.5.2; the unspecified address is :: (2.5.2). */
function six({ address, port }: SocketAddress): SocketAddress {
  if (address.length === 16) return { address, port }
  const mapped = new Uint8Array(16)
  if (address.some((octet) => octet !== 0)) mapped.set([0xff, 0xff, ...address], 10)
  return { address: mapped, port }
}
