/** `a=crypto` (RFC 4568): what a peer offers or takes, and what we do. Keys are secrets: nothing here is ever logged. */
import { SALT_BYTES, SUITES, type Suite } from './session-keys.ts'

export interface CryptoLine {
  readonly tag: number
  readonly suite: Suite
  /** Master key and salt, one after the other. */
  readonly key: Uint8Array
  /** As written: the same text is the same key. */
  readonly text: string
}

/** More are not looked at. */
const MAX_LINES = 32

/**
 * The lines that we can speak, in the peer's order. RFC 4568 5.1.2: what cannot be understood, or asks for what we do not
 * have (an MKI, several keys, weaker protection), is not acceptable, the others are.
 */
export function usable(values: readonly string[]): CryptoLine[] {
  const lines: CryptoLine[] = []
  for (const text of values.slice(0, MAX_LINES)) {
    const line = readLine(text)
    if (line !== undefined && !lines.some(({ tag }) => tag === line.tag)) lines.push(line)
  }
  return lines
}

function readLine(text: string): CryptoLine | undefined {
  const [tag, name, keys, ...parameters] = text.trim().split(/ +/)
  if (tag === undefined || !/^\d{1,9}$/.test(tag)) return undefined
  const suite = SUITES.find((each) => each.name === name)
  if (suite === undefined || keys === undefined || !parameters.every(harmless)) return undefined
  // RFC 4568 9.2: inline:<key||salt>[|lifetime][|MKI:length]
  const found = /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^\d{1,2}|\d{1,15}))?$/i.exec(keys)
  if (found === null) return undefined
  const key = Buffer.from(found[1] as string, 'base64')
  // 6.1: the wrong length makes the line invalid
  if (key.length !== suite.keyBytes + SALT_BYTES) return undefined
  return { tag: Number(tag), suite, key, text: `${name} ${found[1]}` }
}

/** RFC 4568 6.3: parameters that change nothing of what is protected. */
const harmless = (parameter: string): boolean => /^(?:WSH=\d{1,5}|KDR=0)$/i.test(parameter)

/** One line for each suite, each with a key of its own (RFC 4568 6.1). `random`: so many secret bytes. */
export function ownLines(random: (bytes: number) => Uint8Array): CryptoLine[] {
  return SUITES.map((suite, i) => {
    const key = random(suite.keyBytes + SALT_BYTES)
    return { tag: i + 1, suite, key, text: '' }
  })
}

/** The value of an `a=crypto`; the tag is the peer's when it is an answer. */
export function written(line: CryptoLine, tag = line.tag): string {
  return `${tag} ${line.suite.name} inline:${Buffer.from(line.key).toString('base64')}`
}
