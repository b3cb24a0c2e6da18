/** A self-signed X.509 certificate (RFC 5280), written in DER by hand: Node signs, but writes no certificates. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface CertificatePair {
  /** PEM */
  certificate: string
  /** PEM, PKCS #8 */
  privateKey: string
}

/** ECDSA P-256, valid from yesterday for `days` (default 825), for these DNS names and IP addresses. */
export function selfSigned(subject: { names: string[]; addresses: string[]; days?: number }): CertificatePair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const body = toBeSigned(subject, publicKey)
  const signature = sign('sha256', body, privateKey)
  const certificate = sequence(body, ECDSA_WITH_SHA256, bitString(signature))
  return {
    certificate: pem('CERTIFICATE', certificate),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function toBeSigned({ names, addresses, days = 825 }: Parameters<typeof selfSigned>[0], key: KeyObject): Buffer {
  const now = Date.now()
  const name = sequence(set(sequence(oid('2.5.4.3'), utf8(names[0] ?? 'localhost'))))
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40 // RFC 5280 4.1.2.2: positive, and never an empty first octet
  const spki = key.export({ type: 'spki', format: 'der' })
  return sequence(
    tagged(0, integer(Buffer.from([2]))), // version 3
    integer(serial),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(now - 86_400_000), time(now + days * 86_400_000)),
    name,
    spki,
    tagged(3, sequence(...extensions(names, addresses, spki))),
  )
}

function extensions(names: string[], addresses: string[], spki: Buffer): Buffer[] {
  const alternatives = sequence(
    ...[...new Set(names)].map((n) => der(0x82, Buffer.from(n, 'ascii'))),
    ...[...new Set(addresses)].flatMap((a) => addressBytes(a).map((bytes) => der(0x87, bytes))),
  )
  const identifier = createHash('sha1').update(spki).digest()
  return [
    sequence(oid('2.5.29.17'), octets(alternatives)),
    sequence(oid('2.5.29.19'), TRUE, octets(sequence(TRUE))), // it is its own CA: a client may pin it
    sequence(oid('2.5.29.37'), octets(sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2')))),
    sequence(oid('2.5.29.14'), octets(octets(identifier))),
  ]
}

function addressBytes(address: string): Buffer[] {
  if (/^\d+(\.\d+){3}$/.test(address)) return [Buffer.from(address.split('.').map(Number))]
  if (!address.includes(':')) return []
  const [head = '', tail = ''] = address.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const words = [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  return [Buffer.from(words.map((w) => w.padStart(4, '0')).join(''), 'hex')]
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const n = content.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const set = (...parts: Buffer[]) => der(0x31, ...parts)
const integer = (bytes: Buffer) => der(0x02, bytes)
const octets = (bytes: Buffer) => der(0x04, bytes)
const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const bitString = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes)
const tagged = (n: number, content: Buffer) => der(0xa0 + n, content)
const TRUE = der(0x01, Buffer.from([0xff]))

/** RFC 5280 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050. */
function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return Number(digits.slice(0, 4)) < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return der(0x06, Buffer.from(bytes))
}
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
