/**
 * The SIP messages of a call as a capture file (pcap, nanoseconds off: the classic format that sngrep, tshark and Wireshark
 * open). Each message is one UDP datagram between the addresses where it crossed the wire, also what came by TCP, TLS or
 * WebSocket: the headers are synthetic, the messages are those of the ladder, credentials and places left out.
 */
import type { CapturedMessage } from '@tandem/contracts/call.ts'

/** draft-ietf-opsawg-pcap: microseconds, version 2.4, packets begin with their IP header. */
const MAGIC = 0xa1b2c3d4
const RAW_IP = 101
const MAX_PACKET = 65_535
const UDP = 17
const IPV4_HEADER = 20
const IPV6_HEADER = 40
const UDP_HEADER = 8

/** Pure; in the order of time. A message whose addresses cannot be read stands between 0.0.0.0 and 0.0.0.0. */
export function pcapOf(messages: readonly CapturedMessage[]): Buffer {
  const head = Buffer.alloc(24)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt16LE(2, 4)
  head.writeUInt16LE(4, 6)
  head.writeUInt32LE(MAX_PACKET, 16)
  head.writeUInt32LE(RAW_IP, 20)
  const inOrder = messages.toSorted((a, b) => a.offsetUs - b.offsetUs)
  const first = inOrder[0]
  // the wall clock of the first, the monotonic one from there: no step of the clock turns the order
  const origin = first === undefined ? 0 : Date.parse(first.at) * 1000 - Math.round(first.offsetUs)
  return Buffer.concat([head, ...inOrder.flatMap((m) => record(m, origin + Math.round(m.offsetUs)))])
}

function record(message: CapturedMessage, us: number): Buffer[] {
  const [local, remote] = [readSocket(message.local), readSocket(message.remote)]
  const packet = message.direction === 'sent' ? datagram(local, remote, message) : datagram(remote, local, message)
  const head = Buffer.alloc(16)
  head.writeUInt32LE(Math.floor(us / 1e6), 0)
  head.writeUInt32LE(us % 1e6, 4)
  head.writeUInt32LE(packet.length, 8)
  head.writeUInt32LE(packet.length, 12)
  return [head, packet]
}

interface SocketAddress {
  readonly address: Buffer
  readonly port: number
}

function datagram(from: SocketAddress, to: SocketAddress, message: CapturedMessage): Buffer {
  const six = from.address.length === 16 || to.address.length === 16
  const [source, target] = six ? [mapped(from.address), mapped(to.address)] : [from.address, to.address]
  const room = MAX_PACKET - UDP_HEADER - (six ? IPV6_HEADER : IPV4_HEADER)
  const text = Buffer.from(message.text, 'utf8').subarray(0, room)
  const udp = Buffer.alloc(UDP_HEADER)
  udp.writeUInt16BE(from.port, 0)
  udp.writeUInt16BE(to.port, 2)
  udp.writeUInt16BE(UDP_HEADER + text.length, 4)
  const pseudo = Buffer.concat([source, target, Buffer.from([0, UDP]), udp.subarray(4, 6)])
  // RFC 768: a sum of zero is sent as all ones
  udp.writeUInt16BE(checksum(pseudo, udp, text) || 0xffff, 6)
  return Buffer.concat([six ? ipv6(source, target, udp, text) : ipv4(source, target, udp, text), udp, text])
}

// RFC 791 3.1
function ipv4(source: Buffer, target: Buffer, udp: Buffer, text: Buffer): Buffer {
  const head = Buffer.alloc(IPV4_HEADER)
  head.writeUInt8(0x45, 0)
  head.writeUInt16BE(IPV4_HEADER + udp.length + text.length, 2)
  head.writeUInt8(64, 8)
  head.writeUInt8(UDP, 9)
  source.copy(head, 12)
  target.copy(head, 16)
  head.writeUInt16BE(checksum(head), 10)
  return head
}

// RFC 8200 3
function ipv6(source: Buffer, target: Buffer, udp: Buffer, text: Buffer): Buffer {
  const head = Buffer.alloc(IPV6_HEADER)
  head.writeUInt8(0x60, 0)
  head.writeUInt16BE(udp.length + text.length, 4)
  head.writeUInt8(UDP, 6)
  head.writeUInt8(64, 7)
  source.copy(head, 8)
  target.copy(head, 24)
  return head
}

/** RFC 1071; each part but the last has an even length. */
function checksum(...parts: readonly Buffer[]): number {
  let sum = 0
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] as number) << 8) | (part[i + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** `192.0.2.1:5060`, `[2001:db8::1]:5060`, `2001:db8::1:5060` (the last colon parts the port). */
function readSocket(written: string): SocketAddress {
  const at = written.lastIndexOf(':')
  const port = Number(written.slice(at + 1))
  const host = written.slice(0, Math.max(at, 0)).replace(/^\[|\]$/g, '')
  return { address: addressBytes(host), port: port >= 0 && port <= 65_535 ? port : 0 }
}

function addressBytes(host: string): Buffer {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return Buffer.from(host.split('.').map(Number))
  if (!/^[0-9a-f:]{2,39}$/i.test(host)) return Buffer.alloc(4)
  const [head = '', tail] = host.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':'))
  const [left, right] = [words(head), words(tail ?? '')]
  const middle = tail === undefined ? [] : new Array<string>(Math.max(8 - left.length - right.length, 0)).fill('0')
  const all = [...left, ...middle, ...right].slice(0, 8)
  const bytes = Buffer.alloc(16)
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(Number.parseInt(word, 16) & 0xffff, i * 2)
  return bytes
}

/** RFC 4291 2.5.5.2 */
function mapped(address: Buffer): Buffer {
  return address.length === 16 ? address : Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), address])
}
