/**
 * Bytes as text and back without loss, and text that does not keep a datagram alive.
 *
 * SIP is UTF-8 (RFC 3261 7). Bytes that are none become lone surrogates U+DC80 to U+DCFF, which valid UTF-8 cannot
 * give, and are written back as they were: an unknown header field stays byte for byte what it was.
 */

export function decodeText(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') ? decodeOdd(bytes) : text
}

/** As `decodeText`, byte for byte where UTF-8 is broken. */
function decodeOdd(bytes: Buffer): string {
  let text = ''
  let clean = 0
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i)
    if (length === 0) {
      text += bytes.toString('utf8', clean, i) + String.fromCharCode(0xdc00 + (bytes[i] as number))
      clean = i + 1
    }
    i += length || 1
  }
  return text + bytes.toString('utf8', clean)
}

/** Bytes of the well-formed sequence at `i` (Unicode table 3-7), 0 when there is none. */
function sequenceLength(bytes: Buffer, i: number): number {
  const lead = bytes[i] as number
  if (lead < 0x80) return 1
  const length =
    lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  for (let k = 1; k < length; k++) {
    const next = bytes[i + k] ?? 0
    const low = k > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high = k > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (next < low || next > high) return 0
  }
  return length
}

const ESCAPED = /[\udc80-\udcff]/

/** Reverses `decodeText`. */
export function encodeText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  // Iterating by code point keeps proper surrogate pairs together.
  let run = ''
  for (const character of text) {
    if (character.length === 1 && ESCAPED.test(character)) {
      parts.push(Buffer.from(run, 'utf8'), Buffer.of(character.charCodeAt(0) - 0xdc00))
      run = ''
    } else run += character
  }
  parts.push(Buffer.from(run, 'utf8'))
  return Buffer.concat(parts)
}

/** V8 copies slices shorter than this anyway. */
const SHORTEST_SLICE = 13
const scratch = Buffer.allocUnsafeSlow(2048)

/**
 * The same text in memory of its own. What the parser gives out are slices of the whole datagram: keep a Call-ID for
 * the length of a call and you keep the datagram too. Use it on all text that outlives the handling of its message.
 */
export function flatten(text: string): string {
  if (text.length < SHORTEST_SLICE) return text
  if (text.length * 3 <= scratch.length) {
    const size = scratch.write(text, 0, 'utf8')
    // As many bytes as characters: ASCII.
    if (size === text.length) return scratch.toString('latin1', 0, size)
  }
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
