import type { CSeq } from './message.ts'
import { skipSpace, skipToken } from './scan.ts'

/** 1*DIGIT LWS Method (RFC 3261 20.16); undefined when malformed or above 2^32 - 1 (RFC 4475 3.1.2.4). */
export function readCSeq(value: string): CSeq | undefined {
  let sequence = 0
  let i = 0
  for (; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) break
    sequence = sequence * 10 + digit
    if (sequence > 0xffff_ffff) return undefined
  }
  const name = skipSpace(value, i)
  const end = skipToken(value, name)
  if (i === 0 || name === i || end === name || end !== value.length) return undefined
  return { sequence, method: value.slice(name) }
}
