/** A certificate authority and callers' certificates with a TNAuthList (RFC 8226), for tests of STIR. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface Signer {
  readonly certificate: string
  readonly privateKey: string
  readonly key: KeyObject
}

export type NumberEntry = { spc: string } | { start: string; count: number } | { one: string }

export interface CertificateWish {
  readonly name: string
  readonly issuer?: Signer & { readonly name: string }
  readonly numbers?: readonly NumberEntry[]
  /** ms from now */
  readonly until?: number
}

export function makeCertificate(wish: CertificateWish): Signer & { readonly name: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = (text: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))))
  const now = Date.now()
  const until = now + (wish.until ?? 86_400_000)
  const extensions = wish.numbers
    ? [sequence(oid('1.3.6.1.5.5.7.1.26'), der(0x04, sequence(...wish.numbers.map(entryOf))))]
    : [sequence(oid('2.5.29.19'), der(0x01, Buffer.from([0xff])), der(0x04, sequence(der(0x01, Buffer.from([0xff])))))]
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x41]), randomBytes(8)])),
    ES256,
    name(wish.issuer?.name ?? wish.name),
    sequence(time(Math.min(now, until) - 86_400_000), time(until)),
    name(wish.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  )
  const signature = sign('sha256', body, wish.issuer?.key ?? privateKey)
  const whole = sequence(body, ES256, der(0x03, Buffer.from([0]), signature))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return {
    name: wish.name,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    key: privateKey,
  }
}

function entryOf(entry: NumberEntry): Buffer {
  const ia5 = (text: string) => der(0x16, Buffer.from(text, 'latin1'))
  if ('spc' in entry) return der(0xa0, ia5(entry.spc))
  if ('one' in entry) return der(0xa2, ia5(entry.one))
  const count = Buffer.alloc(4)
  count.writeUInt32BE(entry.count)
  return der(0xa1, sequence(ia5(entry.start), der(0x02, count)))
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const n = content.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const time = (ms: number) => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))

function oid(text: string): Buffer {
  const [a = 0, b = 0, ...rest] = text.split('.').map(Number)
  const bytes = [a * 40 + b]
  for (const n of rest) {
    const digits = [n & 0x7f]
    for (let m = n >> 7; m > 0; m >>= 7) digits.unshift((m & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return der(0x06, Buffer.from(bytes))
}
const ES256 = sequence(oid('1.2.840.10045.4.3.2'))
